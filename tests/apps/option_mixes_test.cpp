// Recipe, command line and resumed runs in random mixes come to what the rule of docs/options.md
// says.

#include "apps/option_draws.h"
#include "apps/run_program.h"
#include "apps/train/train_options.h"
#include "catch.h"
#include "io/scratch.h"

#include <millrace/training/run_config.h>

#include <iostream>
#include <sstream>

using namespace millrace;
using namespace millrace::test;

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + ' ';
  return text;
}

/// What is printed on standard error meanwhile.
class Printed {
 public:
  Printed() : before_(std::cerr.rdbuf(text_.rdbuf())) {}
  ~Printed() { std::cerr.rdbuf(before_); }
  Printed(const Printed&) = delete;
  Printed& operator=(const Printed&) = delete;
  [[nodiscard]] std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* before_;
};

/// "--NAME" of lines that tell what is left out.
std::set<std::string> dropped_in(const std::string& text) {
  std::set<std::string> names;
  for (const std::string& line : Outcome::lines(text)) {
    const std::string begin = "note: --";
    if (line.starts_with(begin)) {
      names.insert(line.substr(begin.size(), line.find(' ', begin.size()) - begin.size()));
    }
  }
  return names;
}

/// An error is about one of those that are mistaken, and about its line of the file.
void check_names(const std::string& error, const Resolved& rule) {
  INFO(error);
  const std::size_t at = error.find("--");
  REQUIRE(at != std::string::npos);
  std::string name = error.substr(at + 2);
  name.erase(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"));
  if (name.starts_with("no-")) name.erase(0, 3);
  for (const OptionFacts& facts : known_facts()) {
    if (facts.other_name == name) name = facts.name;
  }
  CHECK(rule.mistaken.count(name) == 1);
  if (rule.line > 0) CHECK_THAT(error, Catch::Contains(concat("line ", rule.line, ":")));
}

Values config_of(const std::filesystem::path& run) {
  Values values;
  for (const std::string& line : Outcome::lines(test::text_of(run / "config.ini"))) {
    const std::size_t equals = line.find(" = ");
    if (equals != std::string::npos) values[line.substr(0, equals)] = line.substr(equals + 3);
  }
  return values;
}

void check_config(const std::filesystem::path& run, const Resolved& rule,
                  const std::vector<std::string>& names) {
  const Values config = config_of(run);
  for (const std::string& name : names) {
    INFO(name);
    const auto found = config.find(name);
    CHECK((found == config.end() ? "none" : found->second) == rule.values.at(name));
  }
}

void check_outcome(const Outcome& outcome, const Resolved& rule) {
  INFO(outcome.err);
  REQUIRE(outcome.status == (rule.mistaken.empty() ? 0 : 2));
  if (rule.mistaken.empty()) {
    CHECK(dropped_in(outcome.err) == rule.dropped);
  } else {
    check_names(outcome.err, rule);
  }
}

/// Those with which a small model trains on small images, whatever they are.
const std::vector<std::string> kHarmless = {"seed",
                                            "optimizer",
                                            "momentum",
                                            "nesterov",
                                            "patience",
                                            "min-delta",
                                            "restore-best",
                                            "plateau-patience",
                                            "plateau-factor",
                                            "plateau-cooldown",
                                            "flip",
                                            "vertical-flip",
                                            "shuffle",
                                            "rotation-range",
                                            "fill-mode",
                                            "cval",
                                            "checkpoints",
                                            "checkpoint-every",
                                            "keep-checkpoints",
                                            "events",
                                            "tensorboard-update",
                                            "stall-timeout"};

}  // namespace

TEST_CASE("a thousand mixes of recipe, command line and resumed run come to what the rule says") {
  constexpr unsigned kMixes = 1000;
  std::cout << "mixes of seeds 1 to " << kMixes << '\n';
  const Scratch scratch;
  std::size_t mistaken = 0, with_dropped = 0, resolved = 0;
  for (unsigned seed = 1; seed <= kMixes; ++seed) {
    Draws draws(seed);
    const bool is_resumed = draws.below(2) == 0;
    std::vector<Given> said = draws.some(5, false, {});
    const std::vector<Given> file = draws.some(14, true, {});
    Resolved rule = resolve_by_rule(said, file, is_resumed);
    while (draws.below(8) > 0 && !said.empty() && !rule.mistaken.empty() && rule.line == 0) {
      leave_out(rule.mistaken, said);  // or most would be refused
      rule = resolve_by_rule(said, file, is_resumed);
    }
    scratch.write("config.ini", text_of(file));
    std::vector<std::string> words = arguments_of(said, draws);
    CAPTURE(seed, is_resumed, joined(words), text_of(file));
    if (!is_resumed) words.insert(words.end(), {"--recipe", (scratch / "config.ini").string()});

    apps::TrainOptions options;
    apps::CommandLine line("train", "", "");
    apps::list(line, options);
    line.accept_recipe();
    if (is_resumed) line.then([&] { begin_as_run(scratch.path(), line); });
    const Printed printed;
    try {
      (void)line.parse(words);
    } catch (const UsageError& error) {
      REQUIRE_FALSE(rule.mistaken.empty());
      check_names(error.what(), rule);
      ++mistaken;
      continue;
    }
    REQUIRE(rule.mistaken.empty());
    for (const auto& [name, value] : rule.values) {
      INFO(name);
      CHECK(line.find(name).option->write() == value);
    }
    CHECK(dropped_in(printed.text()) == rule.dropped);
    ++(rule.dropped.empty() ? resolved : with_dropped);
  }
  std::cout << mistaken << " are refused, of " << with_dropped << " something is left out\n";
  CHECK(mistaken > kMixes / 10);  // each of them is tried
  CHECK(with_dropped > kMixes / 10);
  CHECK(resolved > kMixes / 10);
}

TEST_CASE("runs of the program have what the rule says of recipe and command line") {
  for (const unsigned seed : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U}) {
    const Scratch scratch;
    Draws draws(seed);
    const std::vector<Given> said = draws.some(4, false, kHarmless);
    const std::vector<Given> file = draws.some(12, true, kHarmless);
    const Resolved rule = resolve_by_rule(said, file, false);
    scratch.write("mix.ini", text_of(file));
    std::vector<std::string> words = arguments_of(said, draws);
    CAPTURE(seed, joined(words), text_of(file));
    const std::string run_dir = (scratch / "run").string();
    words.insert(words.begin(), {"train", "generated:48x8x8x1:2", "--model", "mlp:4"});
    words.insert(words.end(), {"--recipe", (scratch / "mix.ini").string(), "--epochs", "1",
                               "--run-dir", run_dir, "--device", "cpu"});
    check_outcome(run(words), rule);
    if (rule.mistaken.empty()) check_config(run_dir, rule, kHarmless);
  }
}

TEST_CASE("runs that go on have what the rule says of their config.ini and command line") {
  std::vector<std::string> free = kHarmless;  // of what a run need not keep
  for (const char* kept : {"seed", "optimizer", "momentum", "nesterov", "shuffle"}) {
    free.erase(std::find(free.begin(), free.end(), kept));
  }
  for (const unsigned seed : {11U, 12U, 13U, 14U, 15U}) {
    const Scratch scratch;
    Draws draws(seed);
    std::vector<Given> file = draws.some(12, true, kHarmless, false);
    file.push_back({"checkpoints", "true"});
    const Resolved before = resolve_by_rule({}, file, false);
    scratch.write("mix.ini", text_of(file));
    const std::vector<Given> said = draws.some(4, false, free);
    std::vector<Given> config;
    for (const OptionFacts& facts : known_facts()) {
      const std::string& value = before.values.at(facts.name);
      if (value != facts.usual) config.push_back({facts.name, value});
    }
    const Resolved rule = resolve_by_rule(said, config, true);
    std::vector<std::string> words = arguments_of(said, draws);
    CAPTURE(seed, joined(words), text_of(file));
    const std::string run_dir = (scratch / "run").string();
    check_outcome(run({"train", "generated:48x8x8x1:2", "--model", "mlp:4", "--recipe",
                       (scratch / "mix.ini").string(), "--epochs", "1", "--run-dir", run_dir,
                       "--device", "cpu"}),
                  before);
    check_config(run_dir, before, kHarmless);
    words.insert(words.begin(), {"train", "--resume", run_dir, "--epochs", "2"});
    check_outcome(run(words), rule);
    if (rule.mistaken.empty()) check_config(run_dir, rule, kHarmless);
  }
}
