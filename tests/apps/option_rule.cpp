#include "apps/option_rule.h"

#include <algorithm>

namespace millrace::test {
namespace {

bool is_one_of(const std::string& value, std::initializer_list<const char*> words) {
  return std::find(words.begin(), words.end(), value) != words.end();
}

std::function<bool(const Values&)> beside(std::string name, std::vector<std::string> values) {
  return [name, values](const Values& all) {
    return std::find(values.begin(), values.end(), all.at(name)) != values.end();
  };
}

std::function<bool(const Values&)> beside_any(std::string name, std::string off) {
  return [name, off](const Values& all) { return all.at(name) != off; };
}

OptionFacts flag(const char* name, const char* usual) {
  return {.name = name, .usual = usual};
}

const OptionFacts& facts_of(const std::string& name) {
  const auto& all = known_facts();
  return *std::find_if(all.begin(), all.end(), [&](const OptionFacts& facts) {
    return facts.name == name || facts.other_name == name;
  });
}

/// What a word means: an option and a value, or nothing where it is mistaken.
struct Meant {
  const OptionFacts* facts = nullptr;
  std::string value{};
  bool is_mistaken = false;
};

Meant meant(const Given& given, bool is_of_file) {
  const bool is_no = given.name.starts_with("no-");
  Meant result{.facts = &facts_of(is_no ? given.name.substr(3) : given.name)};
  const OptionFacts& facts = *result.facts;
  if (facts.is_flag()) {
    const bool is_yes = is_one_of(given.value, {"true", "yes", "on", "1"});
    result.is_mistaken = !is_yes && !is_one_of(given.value, {"false", "no", "off", "0"});
    result.value = is_yes != is_no ? "true" : "false";
    // Line 9: it says nothing.
    const bool is_other = is_of_file && !is_no && given.name != facts.name;
    if (is_other && !result.is_mistaken && result.value == "false") result.facts = nullptr;
    return result;
  }
  const auto known = std::find_if(facts.spelled.begin(), facts.spelled.end(), [&](const auto& one) {
    return one.first == given.value || one.second == given.value;
  });
  result.is_mistaken = known == facts.spelled.end();
  if (!result.is_mistaken) result.value = known->second;
  return result;
}

}  // namespace

const std::vector<OptionFacts>& known_facts() {
  const auto stops = beside_any("patience", "none");
  const auto lowers = beside_any("plateau-patience", "none");
  const auto sgd_with_momentum = [](const Values& all) {
    return all.at("optimizer") == "sgd" && all.at("momentum") != "0";
  };
  const auto decays = [](const Values& all) {
    const std::string& kind = all.at("schedule");
    return is_one_of(kind, {"step", "exponential", "inverse-time"}) ||
           (kind == "piecewise" && all.at("milestone-factors").empty());
  };
  const std::vector<std::pair<std::string, std::string>> counts = {
      {"1", "1"}, {"7", "7"}, {"007", "7"}, {"none", "none"}};
  const std::vector<std::pair<std::string, std::string>> words = {
      {"a", "a"}, {"a b #1;=", "a b #1;="}, {"none", ""}};
  static const std::vector<OptionFacts> all = {
      {"epochs", "10", {{"3", "3"}, {"10", "10"}, {"04", "4"}}, {"0", "x", "-1", "1.5", ""}},
      {"batch", "32", {{"1", "1"}, {"64", "64"}}, {"0", "1000001"}},
      {"seed", "1", {{"0", "0"}, {"9", "9"}}, {"-3", "seed"}},
      {"optimizer", "adam", {{"sgd", "sgd"}, {"rmsprop", "rmsprop"}, {"adam", "adam"}}, {"best"}},
      {"momentum",
       "0",
       {{"0.90", "0.9"}, {"9e-1", "0.9"}, {"0", "0"}},
       {"1", "-0.1", "nan"},
       beside("optimizer", {"sgd", "rmsprop"})},
      {"nesterov", "false", {}, {}, sgd_with_momentum},
      {"schedule",
       "constant",
       {{"step", "step"},
        {"piecewise", "piecewise"},
        {"polynomial", "polynomial"},
        {"constant", "constant"},
        {"exponential", "exponential"}},
       {"linear"}},
      {"decay-steps",
       "none",
       counts,
       {"0"},
       beside("schedule", {"step", "polynomial", "exponential"})},
      {"decay-rate",
       "0.1",
       {{"0.5", "0.5"}, {".25", "0.25"}, {"0.1", "0.1"}},
       {"0", "inf"},
       decays},
      {"milestones",
       "",
       {{"5,10", "5,10"}, {"none", ""}},
       {"5,x"},
       beside("schedule", {"piecewise"})},
      {"milestone-factors",
       "",
       {{"0.5,0.10", "0.5,0.1"}, {"none", ""}},
       {"1,-1"},
       beside("schedule", {"piecewise"})},
      {"power", "1", {{"2", "2"}, {"1.0", "1"}}, {"0"}, beside("schedule", {"polynomial"})},
      {"end-factor",
       "0",
       {{"0.01", "0.01"}, {"0", "0"}},
       {"-1"},
       beside("schedule", {"polynomial"})},
      {"staircase", "false", {}, {}, beside("schedule", {"exponential"})},
      {"cycle", "false", {}, {}, beside("schedule", {"polynomial"})},
      {"warmup-steps", "0", {{"5", "5"}, {"0", "0"}}, {"-5"}},
      {"warmup-from", "0", {{"0.5", "0.5"}, {"0", "0"}}, {"-0.5"}, beside_any("warmup-steps", "0")},
      {"patience", "none", counts, {"-1", "soon"}},
      {"min-delta", "0", {{"0.001", "0.001"}, {"0", "0"}}, {"x"}, stops},
      {"baseline", "none", {{"0.5", "0.5"}, {"none", "none"}}, {"x"}, stops},
      {"restore-best", "false", {}, {}, stops},
      {"plateau-patience", "none", counts, {"-1"}},
      {"plateau-factor", "0.1", {{"0.5", "0.5"}, {"0.1", "0.1"}}, {"1", "0"}, lowers},
      {"plateau-cooldown", "0", {{"2", "2"}, {"0", "0"}}, {"-2"}, lowers},
      {.name = "flip", .usual = "false", .other_name = "horizontal-flip"},
      flag("vertical-flip", "false"),
      flag("shuffle", "true"),
      {"rotation-range", "0", {{"15", "15"}, {"0", "0"}}, {"361", "-1"}},
      {"fill-mode",
       "nearest",
       {{"constant", "constant"}, {"nearest", "nearest"}},
       {"mirror"},
       beside_any("rotation-range", "0")},
      {"cval", "0", {{"20", "20"}, {"0", "0"}}, {"256"}, beside("fill-mode", {"constant"})},
      flag("checkpoints", "true"),
      {"checkpoint-every",
       "0",
       {{"50", "50"}, {"0", "0"}},
       {"-1"},
       beside("checkpoints", {"true"})},
      {"keep-checkpoints", "2", {{"5", "5"}, {"2", "2"}}, {"-1"}, beside("checkpoints", {"true"})},
      flag("events", "true"),
      {"tensorboard-update", "0", {{"10", "10"}, {"0", "0"}}, {"-1"}, beside("events", {"true"})},
      {"csv-log", "", words},
      {"weights", "", words},
      {"freeze", "", words, {}, beside_any("weights", "")},
      {"unfreeze-at", "0", {{"3", "3"}, {"0", "0"}}, {"-3"}, beside_any("freeze", "")},
      {"unfreeze-factor",
       "0.1",
       {{"0.5", "0.5"}, {"0.1", "0.1"}},
       {"0"},
       beside_any("unfreeze-at", "0")},
      {"prune",
       "none",
       {{"constant", "constant"}, {"polynomial", "polynomial"}, {"none", "none"}},
       {"all"}},
      {"prune-final-sparsity",
       "none",
       {{"0.80", "0.8"}, {"none", "none"}},
       {"1"},
       beside_any("prune", "none")},
      {"prune-power",
       "none",
       {{"2", "2"}, {"none", "none"}},
       {"0"},
       beside("prune", {"polynomial"})},
      {"memory-budget",
       "none",
       {{"1.5 GiB", "1536MiB"}, {"2048KiB", "2MiB"}, {"none", "none"}},
       {"much", "0"}},
      {"stall-timeout", "60", {{"0.5", "0.5"}, {"60", "60"}}, {"-1"}},
  };
  return all;
}

namespace {

/// Line 7: what the file says without effect goes back to the default.
std::set<std::string> leave_out(const std::set<std::string>& of_file, Values& values) {
  std::set<std::string> dropped;
  for (bool is_settled = false; !is_settled;) {
    is_settled = true;
    for (const std::string& name : of_file) {
      const OptionFacts& facts = facts_of(name);
      if (values[name] == facts.usual || facts.fits(values)) continue;
      values[name] = facts.usual;
      dropped.insert(name);
      is_settled = false;
    }
  }
  return dropped;
}

}  // namespace

Resolved resolve_by_rule(const std::vector<Given>& command_line, const std::vector<Given>& file,
                         bool is_resumed) {
  Values usual, of_line, of_file;
  for (const OptionFacts& facts : known_facts()) usual[facts.name] = facts.usual;
  for (const Given& given : command_line) {
    const Meant word = meant(given, false);
    if (word.is_mistaken) return {.mistaken = {word.facts->name}};
    of_line[word.facts->name] = word.value;
  }
  int line = 0;
  for (const Given& given : file) {
    ++line;
    const Meant word = meant(given, true);
    if (word.facts == nullptr) continue;
    const std::string& name = word.facts->name;
    if (!is_resumed && of_line.count(name) > 0) continue;
    if (word.is_mistaken) return {.mistaken = {name}, .line = line};
    of_file[name] = word.value;
  }
  const auto names_of = [](const Values& values) {
    std::set<std::string> names;
    for (const auto& [name, value] : values) names.insert(name);
    return names;
  };
  if (is_resumed) {  // what had no effect in the run
    Values alone = of_file;
    alone.insert(usual.begin(), usual.end());
    for (const std::string& name : leave_out(names_of(of_file), alone)) of_file.erase(name);
  }
  Resolved resolved{.values = of_line};
  for (const auto& [name, value] : of_line) of_file.erase(name);
  resolved.values.insert(of_file.begin(), of_file.end());
  resolved.values.insert(usual.begin(), usual.end());
  resolved.dropped = leave_out(names_of(of_file), resolved.values);
  for (const auto& [name, value] : of_line) {
    const OptionFacts& facts = facts_of(name);
    const bool is_off = facts.is_flag() || is_one_of(facts.usual, {"none", "", "0"});
    if (is_off && value == facts.usual) continue;
    if (!facts.fits(resolved.values)) resolved.mistaken.insert(name);
  }
  return resolved;
}

}  // namespace millrace::test
