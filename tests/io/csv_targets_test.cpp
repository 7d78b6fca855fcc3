// Columns of tables that a model is to give.

#include "catch.h"
#include "io/csv_text.h"

#include <millrace/io/find_data.h>
#include <millrace/io/split.h>

#include <cmath>
#include <limits>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

/// What a table says, features first.
struct TargetTable {
  Lines names, columns, notes;
  Floats features, targets;
  TableForm form;
};

TargetTable read_targets(std::string_view text, const CsvOptions& options) {
  const Scratch scratch;
  const auto path = scratch.write("t.csv", text);
  const CsvDataset set(path, {}, options);
  CHECK(set.classes().empty());
  TargetTable table{set.targets(), set.table()->columns, set.notes(), {}, {}, *set.table()};
  Decoder decoder;
  Floats row(static_cast<std::size_t>(set.natural_shape().elements()));
  Floats targets(set.targets().size());
  for (std::uint32_t i = 0; i < set.size(); ++i) {
    set.load(i, TensorView(std::span(row), set.natural_shape()), Filter::nearest, decoder);
    set.target(i, targets);
    table.features.insert(table.features.end(), row.begin(), row.end());
    table.targets.insert(table.targets.end(), targets.begin(), targets.end());
  }
  return table;
}

/// Equal, and unknown in the same places.
bool same(const Floats& a, const Floats& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

const char* const kNamed = "a,price,b,days\n1,10,2,\n3,NA,4,5\n";

}  // namespace

TEST_CASE("Columns named as targets are targets in that order, and the others features") {
  const TargetTable table = read_targets(kNamed, {.targets = {"days", "price"}});
  CHECK(table.names == Lines{"days", "price"});
  CHECK(table.columns == Lines{"a", "b"});
  CHECK(same(table.features, {1, 2, 3, 4}));
  CHECK(same(table.targets, {kUnknown, 10, 5, kUnknown}));
  CHECK(table.form.target_columns == std::vector<std::int64_t>{4, 2});
  CHECK(table.form.label_column == 0);
  CHECK(table.notes.empty());
}

TEST_CASE("Targets go by numbers too, and without a header are called by them") {
  CHECK(read_targets(kNamed, {.targets = {"4", "price"}}).names == Lines{"days", "price"});
  const TargetTable bare = read_targets("1,10,2\n3,,4\n", {.targets = {"2"}});
  CHECK(bare.names == Lines{"2"});
  CHECK(same(bare.features, {1, 2, 3, 4}));
  CHECK(same(bare.targets, {10, kUnknown}));
  // A name that is a number is a name first.
  CHECK(read_targets("a,1\n5,6\n", {.targets = {"1"}}).targets == Floats{6});
}

TEST_CASE("All that says of a value that it is missing makes a target unknown, and nothing else") {
  for (const char* cell : {"", "NA", "nan", "NaN", "?", "null", "\"\"", "N/A", "-"}) {
    INFO(cell);
    const TargetTable table = read_targets(concat("a,y\n1,", cell, "\n2,3\n"), {.targets = {"y"}});
    CHECK(same(table.targets, {kUnknown, 3}));
  }
  const auto error = [](const char* cell) {
    return csv_error(concat("a,y\n1,", cell, "\n2,3\n"), {.targets = {"y"}});
  };
  CHECK(error("x") == ":2: column 2 'y': 'x' is not a number");
  CHECK(error("inf") == ":2: column 2 'y': 'inf' is not finite; give a finite number");
  CHECK_THAT(error("1e99"), Contains("is a number that is too large"));
  CHECK_THAT(error("\"3,5\""), Contains("write decimals with a point"));
}

TEST_CASE("A line that makes a number of what is a label everywhere else is named") {
  const auto notes = [](const std::string& of_z) {
    std::string text = "a,z\n";
    for (const char value : of_z)
      text += concat("1,", value == '-' ? "" : std::string(1, value), '\n');
    return read_targets(text, {.targets = {"z"}}).notes;
  };
  const Lines one = notes("0110-0120");
  REQUIRE(one.size() == 1);
  CHECK_THAT(one[0], Catch::EndsWith("t.csv:9: column 2 'z' is 0 or 1 in 7 lines and 2 here; so it "
                                     "is a number to learn, and no label"));
  const Lines two = notes("011001020130");
  REQUIRE(two.size() == 1);
  CHECK_THAT(two[0],
             Contains("t.csv:9: ") && Contains(" and 2 here, and another number in 1 more"));
  for (const char* fine : {"010101", "0123456", "0102", "--2-"}) CHECK(notes(fine).empty());
}

TEST_CASE("A feature without a value stays an error beside targets") {
  CHECK(csv_error("a,y\n,1\n2,3\n", {.targets = {"y"}}) ==
        ":2: column 1 'a': the cell is empty; fill it in or leave the row out");
}

TEST_CASE("Targets that are no columns, come twice or leave no feature are refused") {
  CHECK(csv_error(kNamed, {.targets = {"Price"}}) ==
        ":1: has no column 'Price' for --targets (there is 'price'); its columns are 'a', 'price', "
        "'b', 'days'");
  CHECK(csv_error(kNamed, {.targets = {"5"}}) ==
        ":1: has no column '5' for --targets; its columns are 'a', 'price', 'b', 'days'");
  CHECK(csv_error("a,\"days, all\"\n1,10\n", {.targets = {"days", " all"}}) ==
        ":1: has no column 'days' for --targets; its columns are 'a', 'days, all'; one whose name "
        "has a comma goes by its number, from 1 on");
  CHECK(csv_error("1,2\n3,4\n", {.targets = {"y"}}) ==
        ":1: has no header, and no column 'y' for --targets; it has 2 columns, give numbers from 1 "
        "on");
  CHECK(csv_error(kNamed, {.targets = {"price", "2"}}) ==
        ":1: column 2 is named twice by --targets; name each column once");
  CHECK_THAT(csv_error("a,b\n1,2\n3,4\n", {.targets = {"b", "a"}}),
             Contains("all columns are targets"));
  CHECK_THAT(csv_error("a,y,y\n1,2,3\n", {.targets = {"y"}}),
             Contains("columns 2 and 3 are both named 'y'"));
}

TEST_CASE("A table beside the one that was learnt has its targets by name, else by place") {
  const CsvOptions known{.known = {.columns = {"a", "b"}, .target_columns = {2, 4}},
                         .known_targets = {"price", "days"},
                         .features = 2};
  const TargetTable by_name = read_targets("days,b,x,a,price\n1,2,9,3,4\n", known);
  CHECK(by_name.names == Lines{"price", "days"});
  CHECK(same(by_name.features, {3, 2}));
  CHECK(same(by_name.targets, {4, 1}));
  REQUIRE(by_name.notes.size() == 1);
  CHECK_THAT(by_name.notes[0], Contains("left out 1 column that the model does not know: 'x'"));
  const TargetTable by_place = read_targets("3,4,2,1\n", known);
  CHECK(by_place.names == Lines{"price", "days"});
  CHECK(same(by_place.features, {3, 2}));
  CHECK(same(by_place.targets, {4, 1}));
  CHECK_THAT(csv_error("a,b,price\n1,2,3\n", known),
             Contains("has no column 'days', which is a target; its columns are"));
  // What is asked for stands before what is known.
  CsvOptions asked = known;
  asked.targets = {"cost", "days"};
  CHECK(read_targets("a,b,cost,days\n1,2,3,4\n", asked).names == Lines{"cost", "days"});
  asked.targets = {"b", "days"};
  CHECK_THAT(csv_error("a,b,price,days\n1,2,3,4\n", asked),
             Contains("column 'b' is a feature of the model, not a target"));
}

TEST_CASE("To predict, columns of targets may be there or not, and are not looked at") {
  const CsvOptions known{.known = {.columns = {"a", "b"}, .target_columns = {2, 4}},
                         .known_targets = {"price", "days"},
                         .features = 2,
                         .needs_label = false};
  for (const char* text : {"a,b\n3,2\n", "days,b,a\nx,2,3\n", "a,price,b,days\n3,x,2,y\n"}) {
    INFO(text);
    const TargetTable table = read_targets(text, known);
    CHECK(same(table.features, {3, 2}));
    CHECK(table.names.empty());
    CHECK(table.notes.empty());
  }
  CsvOptions bare = known;
  bare.known.columns.clear();
  for (const char* text : {"3,2\n", "3,x,2,y\n"}) {
    CHECK(same(read_targets(text, bare).features, {3, 2}));
  }
}

TEST_CASE("Data with targets are split by seed, as if they were of one class") {
  const Scratch scratch;
  std::string text = "a,y\n";
  for (int i = 0; i < 50; ++i) text += concat(i, ',', i % 5, '\n');
  const CsvDataset set(scratch.write("t.csv", text), {}, {.targets = {"y"}});
  const Split parts = split(set, 0.2, 7);
  const Split plain = split(std::vector<std::int32_t>(50), 0.2, 7);
  CHECK(parts.validation.size() == 10);
  CHECK(parts.validation == plain.validation);
  CHECK(parts.train == plain.train);
  CHECK(split(set, 0.2, 8).validation != parts.validation);
}

TEST_CASE("The ranges of targets tell what is known of them") {
  const Scratch scratch;
  const CsvDataset set(scratch.write("t.csv", "x,a,b,c\n1,1,-3,\n2,0,,NA\n3,,5,\n"), {},
                       {.targets = {"a", "b", "c"}});
  const std::vector<TargetRange> ranges = target_ranges(set);
  REQUIRE(ranges.size() == 3);
  CHECK(ranges[0].is_label);
  CHECK(ranges[0].known == 2);
  CHECK(ranges[0].mean == 0.5);
  CHECK_FALSE(ranges[1].is_label);
  CHECK(ranges[1].least == -3);
  CHECK(ranges[1].greatest == 5);
  CHECK(ranges[2].known == 0);
  CHECK(count_classes(set).empty());
}

TEST_CASE("A part beside a table with targets has the same ones") {
  const Scratch scratch;
  (void)scratch.write("data/train.csv", "a,y\n1,2\n3,4\n");
  (void)scratch.write("data/test.csv", "y,a\n5,6\n");
  const Datasets sets =
      open_datasets(find_data(scratch / "data"), {}, {.table = {.targets = {"2"}}});
  CHECK(sets.train->targets() == Lines{"y"});
  REQUIRE(sets.validation != nullptr);
  CHECK(sets.validation->targets() == Lines{"y"});
  Floats target(1);
  sets.validation->target(0, target);
  CHECK(target == Floats{5});
}
