#pragma once
// Options drawn as people give them, right and wrong, in a recipe or on the command line.

#include "apps/option_rule.h"

#include <millrace/core/error.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace millrace::test {

/// Draws what people give.
class Draws {
 public:
  explicit Draws(unsigned seed) : random_(seed) {}

  std::size_t below(std::size_t bound) { return random_() % bound; }
  template <class T>
  const T& one_of(const std::vector<T>& all) {
    return all[below(all.size())];
  }

  Given given(const OptionFacts& facts, bool is_of_file, bool may_be_wrong) {
    const bool is_wrong = may_be_wrong && below(60) == 0;
    if (!facts.is_flag()) {
      const bool knows_wrong = is_wrong && !facts.wrong.empty();
      return {facts.name, knows_wrong ? one_of(facts.wrong) : one_of(facts.spelled).first};
    }
    const bool is_other = !facts.other_name.empty() && below(2) == 0;
    const std::string name = is_other ? facts.other_name : facts.name;
    static const std::vector<std::string> kYesAndNo = {"true",  "yes", "on",  "1",
                                                       "false", "no",  "off", "0"};
    const std::string value = is_wrong ? "perhaps" : one_of(kYesAndNo);
    return {below(3) == 0 ? "no-" + name : name, is_of_file || is_wrong ? value : "true"};
  }

  /// Up to `most` options of those named; of all if none is.
  std::vector<Given> some(std::size_t most, bool is_of_file, const std::vector<std::string>& names,
                          bool may_be_wrong = true) {
    std::vector<OptionFacts> from;
    for (const OptionFacts& facts : known_facts()) {
      const bool is_named = std::find(names.begin(), names.end(), facts.name) != names.end();
      if (names.empty() || is_named) from.push_back(facts);
    }
    std::vector<Given> all;
    for (std::size_t i = below(most + 1); i > 0; --i) {
      all.push_back(given(one_of(from), is_of_file, may_be_wrong));
      // An empty value is what the shell or Boost has a word about.
      if (!is_of_file && all.back().value.empty()) all.pop_back();
    }
    return all;
  }

 private:
  std::mt19937 random_;
};

/// Takes options out.
inline void leave_out(const std::set<std::string>& names, std::vector<Given>& said) {
  said.erase(std::remove_if(said.begin(), said.end(),
                            [&](const Given& given) {
                              const std::string& word = given.name;
                              const bool is_no = word.starts_with("no-");
                              return names.count(is_no ? word.substr(3) : word) > 0 ||
                                     word.ends_with("horizontal-flip");
                            }),
             said.end());
}

inline std::vector<std::string> arguments_of(const std::vector<Given>& command_line, Draws& draws) {
  std::vector<std::string> words;
  for (const auto& [name, value] : command_line) {
    const auto& all = known_facts();
    const bool is_flag = std::any_of(all.begin(), all.end(), [&, &word = name](const auto& facts) {
      return facts.is_flag() && (word.ends_with(facts.name) ||
                                 (!facts.other_name.empty() && word.ends_with(facts.other_name)));
    });
    const std::string option = "--" + name;
    if (is_flag && value == "true" && draws.below(2) == 0) {
      words.push_back(option);
    } else if (is_flag || value.front() == '-' || draws.below(2) == 0) {
      words.push_back(concat(option, '=', value));
    } else {
      words.insert(words.end(), {option, value});
    }
  }
  return words;
}

inline std::string text_of(const std::vector<Given>& file) {
  std::string text;
  for (const auto& [name, value] : file) text += concat(name, " = ", value, '\n');
  return text;
}

}  // namespace millrace::test
