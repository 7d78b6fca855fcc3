// Columns of tables: the label, and those of the table that a model learnt from.

#include <millrace/io/csv.h>

#include "catch.h"
#include "io/csv_text.h"
#include "io/scratch.h"

#include <string>
#include <vector>

using namespace millrace;
using namespace millrace::test;

namespace {

const TableForm kKnown{.columns = {"a", "b"}, .label = "y", .label_column = 3};

}  // namespace

TEST_CASE("a column without a name is refused, since pandas writes row numbers so") {
  CHECK(csv_error(",x,y\n0,2,1\n1,4,0\n")
            .starts_with(":1: column 1 has no name in the header; pandas writes its row numbers"));
  CHECK(
      csv_error("\"\",0,1,2\n0,1,2,1\n", {.header = true}).starts_with(":1: column 1 has no name"));
}

TEST_CASE("the label is the last column, or the one that is named") {
  CHECK(read("1,2,0\n3,4,1\n").features == Floats{1, 2, 3, 4});
  CHECK(read("1,2,0\n0,4,1\n", {.label = "1"}).features == Floats{2, 0, 4, 1});
  CHECK(read("1,2,0\n0,4,1\n", {.label = "1"}).labels == std::vector<int>{1, 0});
  CHECK(read("c,x,y\n1,2,.5\n0,4,1\n", {.label = "c"}).features == Floats{2, .5, 4, 1});
  CHECK(read("c,x,y\n1,2,.5\n0,4,1\n", {.label = "c"}).form ==
        TableForm{.columns = {"x", "y"}, .label = "c", .label_column = 1});
  // A name comes before a number, and that is said.
  const Table numbers = read("0,1,2\n7,1,8\n7,0,8\n", {.label = "1"});
  CHECK(numbers.labels == std::vector<int>{1, 0});
  CHECK(numbers.notes.back() == ": the label is column 2, whose name is '1'");
  CHECK(csv_error("1,2,0\n", {.label = "4"}) ==
        ":1: has no column 4 for --label-column; it has 3 columns");
  CHECK(csv_error("1,2,0\n", {.label = "c"}) ==
        ":1: has no header with a column 'c' for --label-column; it has 3 columns, give a number "
        "from 1 on");
  CHECK(csv_error("x,y,Class\n1,2,0\n", {.label = "class"}) ==
        ":1: has no column 'class' for --label-column (there is 'Class'); its columns are 'x', "
        "'y', 'Class'");
  CHECK(csv_error("x,x,c\n1,2,0\n", {.label = "x"}) ==
        ":1: columns 1 and 2 are both named 'x'; give them different names");
  CHECK(csv_error("c,x\n1.5,1\n", {.label = "c"}).starts_with(":2: column 1 'c': '1.5' is not a"));
}

TEST_CASE("columns of another table are found by name") {
  const CsvOptions known{.known = kKnown, .features = 2};
  CHECK(read("a,b,y\n1,2,0\n", known).features == Floats{1, 2});
  const Table table = read("y,b,id,a,\n1,2,7,1,x\n0,4,?,3,\n", known);
  CHECK(table.features == Floats{1, 2, 3, 4});
  CHECK(table.labels == std::vector<int>{1, 0});
  CHECK(table.notes == Lines{": left out 2 columns that the model does not know: 'id', ''"});
  CHECK(csv_error("a,B,y\n1,2,0\n", known) ==
        ":1: has no column 'b', which the model needs (there is 'B'); its columns are 'a', 'B', "
        "'y'");
  CHECK(csv_error("a,b\n1,2\n", known) ==
        ":1: has no column 'y', which is the label; --label-column names another");
  CHECK(csv_error("a,b,b,y\n1,2,3,0\n", known) ==
        ":1: columns 2 and 3 are both named 'b'; give them different names");
  CHECK(csv_error("a,b,y\n1,2,0\n", {.label = "b", .known = kKnown, .features = 2}) ==
        ":1: column 'b' is a feature of the model, not the label");
}

TEST_CASE("columns go by their order where one side has no names") {
  const CsvOptions known{.known = kKnown, .features = 2};
  const Table table = read("1,2,0\n3,4,1\n", known);
  CHECK(table.features == Floats{1, 2, 3, 4});
  CHECK(table.notes ==
        Lines{": has no header, so its columns are taken in the order of the model's"});
  CHECK(csv_error("1,2,3,0\n", known) ==
        ":1: has 3 features and a label where the model needs 2: 'a', 'b'");
  const CsvOptions nameless{.known = {.label_column = 1}, .features = 2};
  CHECK(read("x,y,z\n1,2,3\n", nameless).features == Floats{2, 3});
  CHECK(read("1,2,3\n", nameless).labels == std::vector<int>{1});
}

TEST_CASE("names of the model make a header of numbers one, in any order") {
  const CsvOptions known{.known = {.columns = {"0", "1"}, .label = "2", .label_column = 3},
                         .features = 2};
  const Table table = read("2,1,0\n0,5,6\n", known);
  CHECK(table.features == Floats{6, 5});
  CHECK(table.notes.empty());
  CHECK(read("2,1,9\n0,5,6\n", {.header = false}).rows == 2);
}

TEST_CASE("names that occur twice are no fault where the order is the same") {
  const CsvOptions known{.known = {.columns = {"a", "a"}, .label = "y", .label_column = 3},
                         .features = 2};
  CHECK(read("a,a,y\n1,2,0\n", known).features == Floats{1, 2});
  CHECK(csv_error("a,y,b\n1,0,2\n", known) ==
        ":1: the model has two columns 'a', so this table must have its columns in the same order");
}

TEST_CASE("a table to predict may lack the label, which is not looked at") {
  const CsvOptions wants{.known = kKnown, .features = 2, .needs_label = false};
  CHECK(read("b,a\n2,1\n", wants).features == Floats{1, 2});
  CHECK(read("b,y,a\n2,?,1\n", wants).features == Floats{1, 2});
  CHECK(read("1,2\n3,4\n", wants).features == Floats{1, 2, 3, 4});
  const CsvOptions old{.features = 2, .needs_label = false};
  CHECK(read("x,y\n1,2\n", old).features == Floats{1, 2});
  CHECK(read("x,y,c\n1,2,cat\n", old).features == Floats{1, 2});
  CHECK(read("1,2,cat\n", old).notes == Lines{": column 3 is taken for the label and left out"});
  CHECK(csv_error("1,2,3,4\n", old) == ":1: has 3 features and a label where the model needs 2");
  CHECK(csv_error("a;b\n1;2\n", wants) ==
        ":1: one column; expected features, with commas between; "
        "if columns are separated by ';': --separator ';'");
  CHECK(read("1\n2\n", {.features = 1, .needs_label = false}).features == Floats{1, 2});
}

TEST_CASE("names that are not UTF-8 are called so") {
  CHECK(read("gr\xF6\xDF"
             "e,y\n1,0\n")
            .columns == Lines{"gr\\xf6\\xdf"
                              "e"});
}

TEST_CASE("a label without a name is found where it is the only column without one, or asked for") {
  const TableForm form = read("a,b,\"\"\n1,2,0\n3,4,1\n").form;
  CHECK(form == TableForm{.columns = {"a", "b"}, .label_column = 3});
  const CsvOptions known{.known = form, .features = 2};
  CHECK(read("b,a,\n2,1,0\n4,3,1\n", known).labels == std::vector<int>{0, 1});
  CHECK(read("b,a,,id\n2,1,0,7\n4,3,1,8\n", known).features == Floats{1, 2, 3, 4});
  // `id` is no label because it is in its place, and row numbers are none for want of a name.
  for (const char* text : {"a,b,id,\"\"\n1,2,7,0\n3,4,8,1\n", ",a,b,y\n0,1,2,0\n1,3,4,1\n",
                           ",a,,b\n0,1,0,2\n1,3,1,4\n", "a,b\n1,2\n"}) {
    INFO(text);
    CHECK(csv_error(text, known) ==
          ":1: the label has no name in the model's table, and column 3 is not the only one "
          "without a name here; say which one it is: --label-column N");
  }
  CsvOptions said = known;
  said.label = "4";
  CHECK(read("a,b,id,\"\"\n1,2,7,0\n3,4,8,1\n", said).labels == std::vector<int>{0, 1});
  CsvOptions wants = known;
  wants.needs_label = false;
  for (const char* text : {"a,b,id,\"\"\n1,2,7,0\n", ",a,b,y\n0,1,2,0\n", "b,a\n2,1\n"}) {
    INFO(text);
    CHECK(read(text, wants).features == Floats{1, 2});
  }
}
