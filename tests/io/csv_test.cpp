#include <millrace/io/csv.h>

#include "catch.h"
#include "io/csv_text.h"
#include "io/scratch.h"

#include <limits>
#include <string>
#include <vector>

using namespace millrace;
using namespace millrace::test;

TEST_CASE("a table with a header, Windows line ends and spaces is read") {
  const Scratch scratch;
  const CsvDataset set(
      scratch.write("t.csv", "\xEF\xBB\xBFx,y,label\r\n1.5, -2e3 ,0\r\n\r\n+3,.25,2"));
  CHECK(set.size() == 2);
  CHECK(set.natural_shape() == Shape{2});
  CHECK(set.dtype() == DType::f32);
  CHECK(set.classes() == std::vector<std::string>{"0", "1", "2"});
  CHECK(set.label(1) == 2);
  CHECK(set.name(1) == (scratch / "t.csv").string() + " #1");
  Decoder decoder;
  std::vector<float> features(2);
  set.load(0, TensorView(std::span(features), Shape{2}), Filter::nearest, decoder);
  CHECK(features == std::vector<float>{1.5F, -2000.0F});
  set.load(1, TensorView(std::span(features), Shape{2}), Filter::nearest, decoder);
  CHECK(features == std::vector<float>{3.0F, 0.25F});
}

TEST_CASE("a table without a header loses no line") {
  const Scratch scratch;
  CHECK(CsvDataset(scratch.write("t.csv", "1,0\n2,1\n")).size() == 2);
}

TEST_CASE("errors in a table name the line and the column") {
  CHECK(csv_error("a,b\n1,0\n2,1,1\n") == ":3: 3 columns; the lines before have 2");
  CHECK(csv_error("1,2,0\nx,2,0\n") == ":2: column 1: 'x' is not a number");
  CHECK(csv_error("x,y,c\n1,2,0\n3,x,0\n") == ":3: column 2 'y': 'x' is not a number");
  CHECK(csv_error("1,0.5\n2,1\n") ==
        ":1: column 2: '0.5' is not a class; expected 0, 1, ... in this column, or another one "
        "named by --label-column; for a number to learn: --targets 2; if this line is a header: "
        "--header yes");
  CHECK(csv_error("1,0\n1,-1\n") ==
        ":2: column 2: '-1' is not a class; expected 0, 1, ... in this column, or another one "
        "named by --label-column; for a number to learn: --targets 2");
  CHECK(csv_error("a,days\n1,0\n1,2.5\n").ends_with("for a number to learn: --targets days"));
  CHECK(csv_error("1,0\n1,2000000000\n").find("'2000000000' is not a class") != std::string::npos);
  CHECK(csv_error("1\n") == ":1: one column; expected features and the label, with commas between");
}

TEST_CASE("a table without samples is an error") {
  CHECK(csv_error("") == ": no samples; expected lines of numbers");
  CHECK(csv_error("x,y,label\n") == ": no samples; expected lines of numbers");
  CHECK(csv_error("\r\n \n\t\r") == ": no samples; expected lines of numbers");
}

TEST_CASE("a first line with a missing value is a sample that is refused, not a header") {
  const auto [cell, problem] = GENERATE(table<std::string, std::string>({
      {"nan", "'nan' is no value"},
      {"NaN", "'NaN' is no value"},
      {"", "the cell is empty"},
      {"?", "'?' is no value"},
      {"NA", "'NA' is no value"},
      {"N/A", "'N/A' is no value"},
      {"null", "'null' is no value"},
      {"None", "'None' is no value"},
      {"\"\"", "the cell is empty"},
      {"\"1.5\"", "'1.5' is a number in quotes; write it without them"},
      {"inf", "'inf' is not finite"},
      {"-Infinity", "'-Infinity' is not finite"},
      {"1e300", "'1e300' is a number that is too large"},
      {"0x10", "'0x10' is not a number"},
      {"1_000", "'1_000' is not a number; write decimals with a point"},
      {"\"1,000\"", "'1,000' is not a number; write decimals with a point"},
      {"$5", "'$5' is not a number"},
      {"1.5x", "'1.5x' is not a number"},
      {"\xE2\x88\x92"
       "5",
       "'\xE2\x88\x92"
       "5' is not a number"},
      {"<0.1", "'<0.1' is not a number"},
  }));
  INFO(cell);
  const std::string rest = ",2,0\n1,2,1\n3,4,0\n5,6,1\n7,8,0\n";
  const std::string error = csv_error(cell + rest);
  CHECK(error.starts_with(":1: column 1: " + problem));
  CHECK(error.ends_with("; if this line is a header: --header yes"));
  CHECK(csv_error("1,2,0\n" + cell + rest).starts_with(":2: column 1: " + problem));
  CHECK(csv_error("x,y,c\n" + cell + rest).starts_with(":2: column 1 'x': " + problem));
  // In a column in which the model looks for nothing else.
  CHECK(csv_error("1,2,0\n1,2," + cell + "\n").starts_with(":2: column 3: "));
}

TEST_CASE("a first line is a header if a word is in it where another line has a number") {
  CHECK(read("x,y,c\n1,2,0\n").rows == 1);
  CHECK(read("7,y,0\n1,2,0\n").rows == 1);
  CHECK(read("7,y,0\n1,2,0\n").notes ==
        Lines{": line 1 is taken for a header, though '7' in it is a number; if it is a sample: "
              "--header no"});
  CHECK(read("\xEF\xBB\xBF\"a,\"\"b\"\"\",\"c\nd\",y\r1,2,0\r").columns ==
        Lines{"a,\"b\"", "c\nd"});
  CHECK(csv_error("5.1,3.5,setosa\n4.9,3.0,virginica\n")
            .starts_with(":1: column 3: 'setosa' is not a class"));
  CHECK(csv_error("x,y,c\n?,?,?\n").starts_with(":1: column 1: 'x' is not a number"));
  CHECK(csv_error("x,y,c\n?,?,?\n1,2,0\n").starts_with(":2: column 1 'x': '?' is no value"));
}

TEST_CASE("0,1,...,n-1 is a header, as pandas writes it, and a note says so") {
  const Table table = read("0,1,2\n1,2,1\n3,4,0\n5,6,1\n7,8,0\n");
  CHECK(table.rows == 4);
  CHECK(table.classes == 2);
  CHECK(table.notes == Lines{": line 1, '0', '1', '2', is taken for a header, as pandas writes it; "
                             "if it is a sample: --header no"});
  CHECK(read("0,1,3\n1,2,1\n").rows == 2);
  CHECK(read("1,2,3\n1,2,1\n3,4,0\n5,6,2\n").notes.empty());
  CHECK(csv_error(",0,1,2\n0,1,2,1\n").starts_with(":1: column 1: the cell is empty"));
}

TEST_CASE("a header is what it is said to be") {
  const Table samples = read("0,1,2\n1,2,1\n3,4,0\n", {.header = false});
  CHECK(samples.rows == 3);
  CHECK(samples.notes.empty());
  const Table years = read("2019,2020,2021\n1,2,1\n", {.header = true});
  CHECK(years.columns == Lines{"2019", "2020"});
  CHECK(years.form.label == "2021");
  CHECK(years.form.header == true);
  CHECK(csv_error("x,y,c\n1,2,0\n", {.header = false}) == ":1: column 1: 'x' is not a number");
  CHECK(csv_error("?,y,c\n?,2,0\n", {.header = true}).starts_with(":2: column 1 '?': "));
  // Where the model's data had none.
  CHECK(csv_error("x,y,c\n1,2,0\n", {.known = {.header = false}})
            .ends_with("if this line is a header: --header yes"));
}

TEST_CASE("columns are separated by what is said, and decimal commas are told") {
  const Table table = read("\"x;1\";y\t;c\n1.5 ; 2;0\n3;4;1", {.separator = ';'});
  CHECK(table.features == Floats{1.5F, 2, 3, 4});
  CHECK(table.columns == Lines{"x;1", "y"});
  CHECK(table.form.separator == ';');
  CHECK(read("1\t2\t0\n", {.separator = '\t'}).features == Floats{1, 2});
  CHECK(csv_error("1,5;2;0\n", {.separator = ';'})
            .starts_with(":1: column 1: '1,5' is not a number; write decimals with a point"));
  CHECK(csv_error("1;2;0\n") ==
        ":1: one column; expected features and the label, with commas "
        "between; if columns are separated by ';': --separator ';'");
  CHECK(csv_error("x;y;c\n1,5;2,5;0\n").ends_with("--separator ';'"));
  CHECK(csv_error("1\t0\n").ends_with("--separator 'tab'"));
  CHECK(csv_error("1,5;2,5;0\n")
            .ends_with("--separator ';'; if this line is a header: --header yes"));
  CHECK(csv_error("1,0\n", {.separator = ';'}).ends_with("--separator ','"));
  CHECK(csv_error("\t\t\n1\t2\t0\n", {.separator = '\t'}).starts_with(":1: column 1: the cell is"));
}

TEST_CASE("numbers are those that float32 can hold") {
  const auto value = [](const std::string& text) { return read(text + ",0\n").features.at(0); };
  CHECK(value("+.5") == 0.5F);
  CHECK(value("-5.") == -5.0F);
  CHECK(value("1E+2") == 100.0F);
  CHECK(value("1e-60") == 0.0F);
  CHECK(value("-1e-400") == 0.0F);
  CHECK(value("0." + std::string(400, '0') + "1") == 0.0F);
  CHECK(value("0e99999") == 0.0F);
  CHECK(value("1e-40") == 1e-40F);
  CHECK(value("3.4028234663852886e38") == std::numeric_limits<float>::max());
  CHECK(value("16777217") == 16777216.0F);
  for (const std::string large :
       {"1e300", "-1e300", "1e39", "1e400", "-1e99999999999999999999", "3.4028236e38"}) {
    CHECK(csv_error("1,0\n" + large + ",0\n") ==
          ":2: column 1: '" + large +
              "' is a number that is too large; the largest of float32 is 3.4e38");
  }
  for (const char* no_number :
       {"+-5", "++5", "--5", "0x1p3", "1e", "1e+", ".", "1.2.3", "1 000", "1'000", "1d5",
        "\xC2\xA0"
        "1"}) {
    INFO(no_number);
    CHECK(csv_error(concat("1,0\n", no_number, ",0\n")).starts_with(":2: column 1: "));
  }
}

TEST_CASE("lines end as Python's csv module takes them, and are counted so") {
  CHECK(read("1,0\r2,1\r\n3,0\n\n\r\r\n4,1").features == Floats{1, 2, 3, 4});
  CHECK(csv_error("\xEF\xBB\xBF\r1,0\r\n\nx,0\n") == ":4: column 1: 'x' is not a number");
  CHECK(csv_error("\"a\r\nb\rc\n\",y\n1,0\n1,0,1\n") == ":6: 3 columns; the lines before have 2");
  CHECK(csv_error("1,0,\n").starts_with(":1: column 3: the cell is empty"));
}

TEST_CASE("what Python's csv module takes in a way that nobody means is refused with the line") {
  CHECK(csv_error("a,b\n1,\"0\n2,0\n") == ":2: a quote that is not closed");
  CHECK(csv_error("1,0\n\"1\"5,0\n").starts_with(":2: text or a space after a closing quote"));
  CHECK(csv_error("\"a\" ,b\n1,0\n").starts_with(":1: text or a space after a closing quote"));
  CHECK(csv_error("a, \"b\"\n1,0\n") == ":1: a space before a quote; leave it out");
  CHECK(csv_error(std::string("1,0\n1\0,0\n", 9)).starts_with(":2: a zero byte"));
  CHECK(csv_error(std::string("\xFF\xFE"
                              "1\0,\0"
                              "0\0\n\0",
                              10))
            .starts_with(":1: a zero byte"));
  CHECK(read("5\" disk,c\n1,0\n").columns == Lines{"5\" disk"});
}

TEST_CASE("an index of a table takes little more than its numbers") {
  const Scratch scratch;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "1,2,3,4,0\n";
  const CsvDataset set(scratch.write("t.csv", text));
  CHECK(set.index_bytes().count <= 1000 * 5 * 4 + sizeof(CsvDataset));
}

TEST_CASE("a line of more columns than any table has is refused before names are made of it") {
  constexpr std::size_t kMost = std::size_t{1} << 21;
  for (const char* start : {"", "1,2,0\n"}) {
    const std::string lines = start + std::string(kMost, ',');
    CHECK(csv_error(lines) == concat(':', *start == '\0' ? 1 : 2, ": more than ", kMost,
                                     " columns, which no table has"));
  }
  CHECK(csv_error(std::string(kMost - 1, ',')).starts_with(":1: column 1: "));
}
