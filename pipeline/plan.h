#pragma once
// What a pipeline will be, before it runs: its stages and edges and the worst case of its memory.

#include <millrace/pipeline/budget.h>
#include <millrace/pipeline/stage.h>

#include <iosfwd>
#include <string>
#include <vector>

namespace millrace {

struct Plan {
  struct Line {
    std::string name;
    std::string kind{};  ///< "source", "then", "with", "gather", "join", "sink"
    int concurrency = 1;
    On on = On::compute;
    std::string lane{};  ///< of On::engine
    Order order = Order::source;
    OnError on_error{};
    std::string pool{};         ///< the pool that a source or with() draws from, or empty
    std::vector<int> inputs{};  ///< indices of the lines that feed this one
  };
  std::string name;
  int threads = 0;
  std::vector<Line> stages{};
  std::vector<Budget::Charge> charges{};
  Bytes charged{}, limit{};

  [[nodiscard]] std::string text() const;  ///< for a terminal
  [[nodiscard]] std::string dot() const;   ///< Graphviz: `dot -Tsvg`
};

[[nodiscard]] const char* to_string(On on) noexcept;
std::ostream& operator<<(std::ostream& out, const Plan& plan);

}  // namespace millrace
