// Options that update rules have of their own, as rows: command line, recipes, help.

#include "catch.h"

#include <millrace/training/options/options.h>
#include <millrace/training/recipe.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace millrace;
using Catch::Contains;

namespace {

using Given = std::vector<std::pair<const char*, const char*>>;
using Own = std::map<std::string, double, std::less<>>;

struct Rows {
  TrainSpec spec;
  OptionList options;

  explicit Rows(const Given& given, OptionSource source = OptionSource::command_line) {
    list(options, spec);
    for (const auto& [name, value] : given) options.set(name, value, source);
  }
};

std::string refusal(const Given& given) {
  try {
    Rows rows(given);
    (void)rows.options.settle();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("an option of a rule's own is a row, whose value is kept by its name") {
  Rows rows({{"dampening", "0.5"}, {"optimizer", "sgd"}, {"momentum", "0.9"}});
  CHECK(rows.options.settle().empty());
  CHECK(rows.spec.optimizer.own == Own{{"dampening", 0.5}});
  CHECK_THAT(recipe_text(rows.options), Contains("\ndampening = 0.5\n"));
  const Option& row = *rows.options.find("dampening").option;
  CHECK_THAT(row.help, Catch::Matchers::EndsWith("; of sgd"));
  CHECK(row.shown_default() == "0");
  CHECK(row.topic == "training");
  rows.options.set("dampening", "none", OptionSource::command_line);
  CHECK(rows.spec.optimizer.own.empty());
}

TEST_CASE("a rule that has no such option, or no use for it, is told so") {
  CHECK(refusal({{"dampening", "0.5"}}) == "--dampening has no effect without --optimizer sgd");
  const std::string needs =
      "--dampening has no effect without a momentum above 0 that is not "
      "Nesterov's";
  CHECK(refusal({{"dampening", "0.5"}, {"optimizer", "sgd"}}) == needs);
  CHECK(refusal({{"dampening", "0.5"},
                 {"optimizer", "sgd"},
                 {"momentum", "0.9"},
                 {"nesterov", "true"}}) == needs);
  CHECK(refusal({{"dampening", "1"}}) == "--dampening must be in [0, 1), not 1");
  CHECK(refusal({{"dampening", "-1"}}) == "--dampening must be in [0, 1), not -1");
  CHECK(refusal({{"dampening", "much"}}) == "--dampening must be a finite number, not 'much'");
}

TEST_CASE(
    "an option of a rule's own that a recipe brings is dropped with a note where it has no "
    "effect") {
  Rows rows({{"dampening", "0.5"}}, OptionSource::recipe);
  CHECK(rows.options.settle() ==
        std::vector<std::string>{"--dampening has no effect without --optimizer sgd"});
  CHECK(rows.spec.optimizer.own.empty());
}

TEST_CASE("rows speak of the spec that they were listed of, also once it is another's copy") {
  Rows rows({{"dampening", "0.5"}, {"optimizer", "sgd"}, {"momentum", "0.9"}});
  const TrainSpec first = rows.spec;
  rows.options.set("dampening", "0.25", OptionSource::command_line);
  CHECK(first.optimizer.own == Own{{"dampening", 0.5}});
  rows.spec = first;
  CHECK(rows.options.find("dampening").option->write() == "0.5");
}
