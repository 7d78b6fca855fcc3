#include <millrace/io/csv.h>

#include <millrace/io/decode.h>

#include "catch.h"
#include "io/scratch.h"

using namespace millrace;
using namespace millrace::test;

namespace {

std::string csv_error(std::string_view text) {
  const Scratch scratch;
  const auto path = scratch.write("t.csv", text);
  const std::string error = error_of([&] { CsvDataset set(path); });
  return error.empty() ? error : error.substr(path.string().size());
}

}  // namespace

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

TEST_CASE("errors in a table name the line") {
  CHECK(csv_error("a,b\n1,0\n2,1,1\n") == ":3: 3 columns; the lines before have 2");
  CHECK(csv_error("1,2,0\nx,2,0\n") == ":2: 'x' is not a number");
  CHECK(csv_error("1,nan,0\n") == ":1: 'nan' is not a number");
  CHECK(csv_error("1,,0\n") == ":1: '' is not a number");
  CHECK(csv_error("1,1e39,0\n") == ":1: '1e39' is not a number");
  CHECK(csv_error("1,0.5\n") == ":1: '0.5' is not a class; expected 0, 1, ... in the last column");
  CHECK(csv_error("1,-1\n") == ":1: '-1' is not a class; expected 0, 1, ... in the last column");
  CHECK(csv_error("1,2000000000\n") ==
        ":1: '2000000000' is not a class; expected 0, 1, ... in the last column");
  CHECK(csv_error("1\n") ==
        ":1: one column; expected features and, last, the label, with commas between");
}

TEST_CASE("a table without samples is an error") {
  CHECK(csv_error("") == ": no samples; expected lines of numbers");
  CHECK(csv_error("x,y,label\n") == ": no samples; expected lines of numbers");
}

TEST_CASE("an index of a table takes little more than its numbers") {
  const Scratch scratch;
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "1,2,3,4,0\n";
  const CsvDataset set(scratch.write("t.csv", text));
  CHECK(set.index_bytes().count <= 1000 * 5 * 4 + sizeof(CsvDataset));
}
