#pragma once
// The rule of docs/options.md, ten lines, once more: on names and texts alone, with nothing of the
// code that it is held against.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace millrace::test {

/// Values as config.ini has them, by the names of options.
using Values = std::map<std::string, std::string>;

/// An option: what it is by default, how values are spelled and what then stands in config.ini,
/// what nobody may say, and without what it has no effect.
struct OptionFacts {
  std::string name, usual;
  std::vector<std::pair<std::string, std::string>> spelled{};
  std::vector<std::string> wrong{};
  std::function<bool(const Values&)> fits = [](const Values&) { return true; };
  std::string other_name{};  ///< of a flag

  [[nodiscard]] bool is_flag() const { return usual == "true" || usual == "false"; }
};
const std::vector<OptionFacts>& known_facts();

/// An option as it is given: "flip" "true", "no-flip" "true", "patience" "3". Flags of a command
/// line are "true" always.
struct Given {
  std::string name, value;
};

/// What comes of it all.
struct Resolved {
  Values values{};
  std::set<std::string> dropped{};   ///< of the file, without effect
  std::set<std::string> mistaken{};  ///< not empty: an error that names one of these
  int line = 0;                      ///< of the file, if the error is there
};

/// `is_resumed`: the file is the config.ini of a run that goes on, else a recipe.
[[nodiscard]] Resolved resolve_by_rule(const std::vector<Given>& command_line,
                                       const std::vector<Given>& file, bool is_resumed);

}  // namespace millrace::test
