#include "catch.h"
#include "io/scratch.h"

#include <millrace/training/recipe.h>

#include <fstream>
#include <optional>

using namespace millrace;
using Catch::Contains;
using test::Scratch;

namespace {

struct Options {
  int epochs = 10;
  double rate = 0.1;
  bool flip = false, shuffle = true;
  std::optional<std::uint32_t> patience;
  bool restore_best = false;
  double delta = 0, share = 0.5;
  std::string name;
  std::filesystem::path file;
  std::vector<double> factors;
  Bytes budget{};
  Seconds timeout{60};
};

void list(OptionList& options, Options& o) {
  options.topic("all", "All");
  options("epochs", o.epochs, "N", "passes", at_least(1)).keeps();
  options("rate", o.rate, "X", "learning rate", above(0));
  options("flip", o.flip, "", "mirror").also_called("horizontal-flip");
  options("shuffle", o.shuffle, "", "in the order of the data");
  options("patience", o.patience, "N", "epochs to wait");
  options("restore-best", o.restore_best, "", "the best epoch's weights")
      .needs("--patience N", [&o] { return o.patience.has_value(); });
  options("name", o.name, "NAME", "of the run");
  options("file", o.file, "FILE", "to write");
  options("factors", o.factors, "X,X", "factors");
  options("budget", o.budget, "SIZE", "most memory");
  options("timeout", o.timeout, "SECONDS", "until it is said", at_least(0));
}

std::string refusal(OptionList& options, const char* name, const char* value) {
  try {
    options.set(name, value, OptionSource::command_line);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("values of options are read by their types and refused in one line") {
  Options o;
  OptionList options;
  list(options, o);
  CHECK(refusal(options, "epochs", "3").empty());
  CHECK(o.epochs == 3);
  CHECK(refusal(options, "epochs", "+4").empty());
  CHECK(o.epochs == 4);
  CHECK(refusal(options, "epochs", "+-4") == "--epochs must be a whole number, not +-4");
  CHECK(refusal(options, "epochs", "0") == "--epochs must be 1 or more, not 0");
  CHECK(refusal(options, "epochs", "x") == "--epochs must be a whole number, not 'x'");
  CHECK(refusal(options, "epochs", "1.5") == "--epochs must be a whole number, not 1.5");
  CHECK(refusal(options, "epochs", "99999999999") ==
        "--epochs must be at most 2147483647, not 99999999999");
  CHECK(refusal(options, "patience", "-1") == "--patience must be 0 or more, not -1");
  CHECK(refusal(options, "rate", "nan") == "--rate must be a finite number, not 'nan'");
  CHECK(refusal(options, "rate", "0") == "--rate must be above 0, not 0");
  CHECK(refusal(options, "budget", "much") ==
        "--budget must be a size such as 512MiB or 2GiB, not 'much'");
  CHECK(refusal(options, "flip", "perhaps") == "--flip must be true or false, not 'perhaps'");
  CHECK(refusal(options, "factors", "0.5,2").empty());
  CHECK(o.factors == std::vector{0.5, 2.0});
  CHECK(options.nearest("epoch") == "epochs");
}

TEST_CASE(
    "other programs' words for an option are taken for what goes on, or is shortened, alike") {
  float rate = 0;
  int batch = 0, l2 = 0;
  OptionList options;
  options("l2", l2, "N", "");
  options("batch", batch, "N", "");
  options("learning-rate", rate, "X", "");
  CHECK(options.nearest("lr") == "learning-rate");
  CHECK(options.nearest("learning") == "learning-rate");
  CHECK(options.nearest("batch-size") == "batch");
  CHECK(options.nearest("batches") == "batch");
  CHECK(options.nearest("l1") == "l2");
  CHECK(options.nearest("b").empty());
}

TEST_CASE("flags are taken back by their form with no, values by none") {
  Options o;
  OptionList options;
  list(options, o);
  const auto set = [&](const char* name, const char* value) {
    options.set(name, value, OptionSource::recipe);
  };
  set("horizontal-flip", "true");
  CHECK(o.flip);
  set("no-flip", "true");
  CHECK_FALSE(o.flip);
  set("no-shuffle", "true");  // as older runs have it
  CHECK_FALSE(o.shuffle);
  set("no-shuffle", "false");
  CHECK(o.shuffle);
  set("patience", "3");
  set("patience", "none");
  CHECK_FALSE(o.patience);
  CHECK(options.was_given("patience"));
  CHECK_FALSE(options.was_given("epochs"));
}

TEST_CASE("an option without effect is refused on a command line and dropped from a recipe") {
  Options o;
  OptionList options;
  list(options, o);
  options.set("restore-best", "true", OptionSource::recipe);
  CHECK(options.settle() ==
        std::vector<std::string>{"--restore-best has no effect without --patience N"});
  CHECK_FALSE(o.restore_best);
  options.set("restore-best", "true", OptionSource::command_line);
  CHECK_THROWS_WITH(options.settle(), "--restore-best has no effect without --patience N");
  options.set("patience", "2", OptionSource::recipe);
  CHECK(options.settle().empty());
  CHECK(o.restore_best);
}

TEST_CASE("an option with its default is refused too where it has no effect, unless that is off") {
  Options o;
  OptionList options;
  list(options, o);
  options("delta", o.delta, "X", "least improvement").needs("--patience N", [&o] {
    return o.patience.has_value();
  });
  options("share", o.share, "X", "of it").needs("--patience N", [&o] {
    return o.patience.has_value();
  });
  options.set("delta", "0", OptionSource::command_line);
  options.set("restore-best", "false", OptionSource::command_line);
  CHECK(options.settle().empty());
  options.set("share", "0.5", OptionSource::command_line);
  CHECK_THROWS_WITH(options.settle(), "--share has no effect without --patience N");
}

TEST_CASE("what a file brings without effect is dropped before the command line is looked at") {
  Options o;
  OptionList options;
  list(options, o);
  options("other", o.delta, "X", "").needs("no --name", [&o] { return o.name.empty(); });
  options.find("name").option->needs("--patience N", [&o] { return o.patience.has_value(); });
  options.set("other", "0.5", OptionSource::command_line);
  options.set("name", "run", OptionSource::recipe);
  CHECK(options.settle() == std::vector<std::string>{"--name has no effect without --patience N"});
  CHECK(o.delta == 0.5);
}

TEST_CASE("names, lists and values that may be absent are taken back by none") {
  Options o;
  OptionList options;
  list(options, o);
  for (const char* name : {"name", "file", "factors", "patience"}) {
    options.set(name, "5", OptionSource::recipe);
    CHECK_FALSE(options.find(name).option->is_initial());
    options.set(name, "none", OptionSource::command_line);
    CHECK(options.find(name).option->is_initial());
  }
}

TEST_CASE("rows tell their default and their range") {
  Options o;
  OptionList options;
  list(options, o);
  const auto shown = [&](const char* name) {
    const Option& option = *options.find(name).option;
    return option.shown_default() + "|" + option.range;
  };
  CHECK(shown("epochs") == "10|1 or more");
  CHECK(shown("rate") == "0.1|above 0");
  CHECK(shown("flip") == "|");
  CHECK(shown("patience") == "|0 or more");
  CHECK(shown("timeout") == "60|0 or more");
  options.find("patience").option->by_default("as long as it takes");
  CHECK(shown("patience") == "as long as it takes|0 or more");
  CHECK(within(0, 360, "degrees").text() == "in 0 to 360 degrees");
}

TEST_CASE("numbers are written short, and read back equal") {
  const std::vector<std::pair<double, std::string>> texts = {
      {1e-6, "1e-6"}, {1e-300, "1e-300"}, {2.5e+20, "2.5e+20"}, {1e+9, "1e+9"}, {0.1, "0.1"}};
  for (const auto& [value, text] : texts) {
    CHECK(OptionText<double>::write(value) == text);
    CHECK(OptionText<double>::read(text) == value);
  }
}

TEST_CASE("each number of a list is held against the range") {
  std::vector<std::int64_t> batches;
  OptionList options;
  options("batch", batches, "N,N", "sizes", at_least(1));
  CHECK(refusal(options, "batch", "4,0") == "--batch must be 1 or more, not 0");
  CHECK(refusal(options, "batch", "4,8").empty());
}

TEST_CASE("a flag's other name and its form with no name the option that is wrong") {
  Options o;
  OptionList options;
  list(options, o);
  CHECK(refusal(options, "no-flip", "x") == "--flip must be true or false, not 'x'");
  CHECK(refusal(options, "horizontal-flip", "x") == "--flip must be true or false, not 'x'");
}

TEST_CASE("what a recipe is written with reads back equal") {
  const Scratch scratch;
  Options o;
  o.rate = 0.1 + 0.2;
  o.factors = {1.0 / 3, 1e-300, 5};
  o.patience = 0;
  o.budget = 1536_MiB;
  o.timeout = Seconds(0.25);
  for (const std::string& text :
       {std::string("plain"), std::string(" blanks "), std::string("#hash ; = \\ \" 'x'"),
        std::string("\"quoted\""), std::string("two\nlines\r"), std::string("a\\"),
        std::string("\"")}) {
    o.name = text;
    o.file = text + "/x" + text;
    Options back;
    OptionList written, read;
    list(written, o);
    list(read, back);
    const std::string recipe = recipe_text(written);
    scratch.write("r.ini", recipe);
    read_recipe(scratch / "r.ini", read);
    CHECK(back.name == text);
    CHECK(back.file == o.file);
    CHECK(back.rate == o.rate);
    CHECK(back.factors == o.factors);
    CHECK(back.patience == o.patience);
    CHECK(back.budget == o.budget);
    CHECK(back.timeout == o.timeout);
    CHECK_THAT(recipe, Contains("rate = 0.30000000000000004\n") && Contains("budget = 1536MiB\n"));
    CHECK(recipe_text(read) == recipe);
  }
}

TEST_CASE("the command line wins over a recipe, and a recipe is a file") {
  const Scratch scratch;
  Options o;
  OptionList options;
  list(options, o);
  scratch.write("r.ini", "# a comment\n\nepochs = 5\nrate=0.5\nflip = yes\n");
  options.set("epochs", "7", OptionSource::command_line);
  options.set("no-flip", "true", OptionSource::command_line);
  read_recipe(scratch / "r.ini", options);
  CHECK(o.epochs == 7);
  CHECK(o.rate == 0.5);
  CHECK_FALSE(o.flip);
  CHECK_THROWS_WITH(read_recipe(scratch.path(), options), Contains("is a folder"));
  scratch.write("wrong.ini", "epochs = 5\nepoch = 4\n");
  CHECK_THROWS_WITH(read_recipe(scratch / "wrong.ini", options),
                    Contains("line 2: unknown key 'epoch' (did you mean 'epochs'?)"));
}

TEST_CASE("a value that is no field is an option too") {
  std::optional<double> kept;
  OptionList options;
  options("rate",
          OptionList::Access<std::optional<double>>{[&kept] { return kept; },
                                                    [&kept](auto value) { kept = value; }},
          "X", "a number", from_up_to(0, 1));
  CHECK(recipe_text(options).empty());
  options.set("rate", "0.25", OptionSource::command_line);
  CHECK(kept == 0.25);
  CHECK(recipe_text(options) == "rate = 0.25\n");
  CHECK(refusal(options, "rate", "1") == "--rate must be in [0, 1), not 1");
  options.set("rate", "none", OptionSource::command_line);
  CHECK_FALSE(kept);
}

TEST_CASE("two options of one name are a fault of whoever lists them") {
  int one = 0, other = 0;
  OptionList options;
  options("rate", one, "N", "a number");
  CHECK_THROWS_WITH(options("rate", other, "N", "another"),
                    Contains("there is an option --rate already"));
}
