#include <millrace/io/class_names.h>

#include <millrace/io/class_folder.h>
#include <millrace/io/csv.h>
#include <millrace/io/decode.h>
#include <millrace/io/idx.h>

#include "catch.h"
#include "io/idx_files.h"

#include <nlohmann/json.hpp>

#include <fstream>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

/// A folder of classes with an image each.
std::shared_ptr<const Dataset> folders(const Scratch& scratch, const Names& names,
                                       bool is_companion = true) {
  for (const std::string& name : names) scratch.write(concat("set/", name, "/1.jpg"), "x");
  return std::make_shared<ClassFolder>(scratch / "set", Watch{},
                                       ClassFolder::Options{.is_companion = is_companion});
}

/// A table with a row for each label.
std::shared_ptr<const Dataset> table(const Scratch& scratch, const std::vector<int>& labels) {
  std::string text;
  for (const int label : labels) text += concat("1,", label, '\n');
  return std::make_shared<CsvDataset>(scratch.write("table.csv", text));
}

/// The names of the labels, sample by sample.
Names told(const Dataset& set) {
  Names names;
  for (std::uint32_t i = 0; i < set.size(); ++i) {
    names.push_back(set.classes().at(static_cast<std::size_t>(set.label(i))));
  }
  return names;
}

Names matched(std::shared_ptr<const Dataset> set, const Names& known, const Names& given = {}) {
  return told(*match_classes(std::move(set), "DATA", {known, "the model"}, given).dataset);
}

std::string refusal(std::shared_ptr<const Dataset> set, const Names& known,
                    const Names& given = {}) {
  return error_of([&] { (void)matched(std::move(set), known, given); });
}

}  // namespace

TEST_CASE("labels are matched by name whatever the order of the classes") {
  const Scratch scratch;
  const auto set = folders(scratch, {"a", "b", "c"});
  const Names known = {"c", "x", "a", "b"};
  const auto matched = match_classes(set, "DATA", {known, "the model"});
  CHECK(matched.names == known);
  CHECK(matched.dataset->classes() == known);
  CHECK(told(*matched.dataset) == Names{"a", "b", "c"});
  CHECK(matched.dataset->label(0) == 2);
  CHECK(matched.dataset->name(0) == set->name(0));
  CHECK(matched.dataset->notes() ==
        Names{(scratch / "set").string() + ": no images of the class 'x'"});
  CHECK(match_classes(set, "DATA", {{"a", "b", "c"}, "the model"}).dataset == set);
}

TEST_CASE("numbers are matched as numbers where both sides have nothing else") {
  // Folders sort as text: 0, 1, 10, 11, 2, ...
  Names folders_of_12;
  std::vector<int> labels;
  for (int i = 0; i < 12; ++i) {
    folders_of_12.push_back(std::to_string(i));
    labels.push_back(i);
  }
  const Names in_order = folders_of_12;
  std::sort(folders_of_12.begin(), folders_of_12.end());
  const Scratch scratch;
  const auto numbers = table(scratch, labels);
  CHECK(matched(numbers, folders_of_12) == in_order);
  CHECK(matched(folders(scratch, folders_of_12), in_order) == folders_of_12);
  // As convert_idx() calls them.
  Names padded;
  for (int i = 0; i < 12; ++i) padded.push_back(concat(i < 10 ? "0" : "", i));
  CHECK(matched(numbers, padded) == padded);
  const Scratch other;
  CHECK(matched(folders(other, padded), in_order) == in_order);
  CHECK(are_numbers(padded));
  CHECK_FALSE(are_numbers(Names{"1", "01"}));
  CHECK_FALSE(are_numbers(Names{"1", "-1"}));
  CHECK_FALSE(are_numbers(Names{"1", ""}));
}

TEST_CASE("numbers on one side and names on the other are refused until the numbers have names") {
  const Scratch scratch;
  const auto numbers = table(scratch, {1, 0, 2});
  const std::string advice =
      "; say in train or evaluate what the numbers 0, 1, ... are called: --class-names A,B,...";
  CHECK(refusal(numbers, {"cats", "dogs", "owls", "rats"}) ==
        "DATA: its classes are the numbers 0, 1, 2, those of the model are cats, dogs, owls, ..." +
            advice);
  const auto names = folders(scratch, {"cats", "dogs"});
  CHECK(refusal(names, {"0", "1"}) ==
        "DATA: its classes are cats, dogs, those of the model are the numbers 0, 1" + advice);

  CHECK(matched(numbers, {"cats", "dogs", "owls"}, {"owls", "cats", "dogs"}) ==
        Names{"cats", "owls", "dogs"});
  const auto named = match_classes(names, "DATA", {{"0", "1"}, "the model"}, Names{"dogs", "cats"});
  CHECK(named.names == Names{"dogs", "cats"});
  CHECK(named.dataset->label(0) == 1);
  // Both have numbers: both are named, unless the names are those of the other side already.
  const auto both =
      match_classes(numbers, "DATA", {{"0", "1", "2"}, "the model"}, Names{"a", "b", "c"});
  CHECK(both.names == Names{"a", "b", "c"});
  CHECK(matched(numbers, {"1", "2", "3"}, {"1", "2", "3"}) == Names{"2", "1", "3"});
}

TEST_CASE("names for numbers are refused where they cannot be meant") {
  const Scratch scratch;
  const auto numbers = table(scratch, {0, 1, 2});
  CHECK(refusal(numbers, {"a", "b", "c"}, {"a", "b"}) ==
        "--class-names: 2 names for the numbers from 0 on, and none for the class '2' of DATA");
  CHECK(refusal(numbers, {"a", "b", "c"}, {"a", "b", "a"}) ==
        "--class-names: the name 'a' is there twice");
  CHECK(refusal(numbers, {"a", "b", "c"}, {"a", "b", ""}) == "--class-names: a name is empty");
  CHECK(refusal(folders(scratch, {"a", "b"}), {"a", "b"}, {"a", "b"}) ==
        "--class-names gives names to classes that are numbers; those of DATA and of the model "
        "have names");
}

TEST_CASE("a class that is not known is an error by name, one that is not there is not") {
  const Scratch scratch;
  CHECK(matched(folders(scratch, {"dogs"}), {"cats", "dogs"}) == Names{"dogs"});
  const auto set = folders(scratch, {"dogs", "owls"});
  CHECK(refusal(set, {"cats", "dogs"}) ==
        "DATA: has a class 'owls' that the model lacks, and lacks the class 'cats' of the model; "
        "names must be the same");
  CHECK(refusal(set, {"dogs", "rats", "cats"}).find("'owls' that the model lacks") !=
        std::string::npos);
  CHECK(error_of([&] {
          (void)match_classes(set, "DATA", {{"dogs", "owls", "rats"}, "own.json", true});
        }) == "DATA: lacks the class 'rats' of own.json; both must have the same classes");
  // A folder means its class also without images, a number below the largest label does not.
  fs::create_directory(scratch / "set/ants");
  CHECK(refusal(folders(scratch, {}), {"dogs", "owls"}).find("'ants' that the model lacks") !=
        std::string::npos);
  CHECK(matched(table(scratch, {0, 2}), {"0", "2"}) == Names{"0", "2"});
  CHECK(refusal(table(scratch, {0, 3}), {"0", "5"}) ==
        "DATA: has a class '3' that the model lacks, and lacks the class '5' of the model; names "
        "must be the same");
}

TEST_CASE("names that look alike are told apart as Python's unicodedata does") {
  std::ifstream file(MILLRACE_TEST_DATA "/io/names.jsonl");
  int count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    const auto pair = nlohmann::json::parse(line);
    const std::string what = pair[2] == "" ? "" : "in " + pair[2].get<std::string>();
    for (const bool is_turned : {false, true}) {
      std::string told = difference(pair[is_turned ? 1 : 0], pair[is_turned ? 0 : 1]);
      if (const std::size_t at = told.find("Unicode "); at != std::string::npos) told.erase(at, 8);
      told.resize(std::min(told.size(), told.find(" (")));
      INFO(line);
      CHECK(told == what);
    }
  }
  CHECK(count > 100);
}

TEST_CASE("what two names differ in is part of the refusal") {
  const Scratch scratch;
  CHECK(refusal(folders(scratch, {"Cats", "dogs"}), {"cats", "dogs"}) ==
        "DATA: has a class 'Cats' that the model lacks; 'Cats' and 'cats' there differ in case "
        "alone; names must be the same");
  const Scratch other;
  CHECK(refusal(folders(other, {"cafe\xCC\x81", "th\xC3\xA9"}), {"caf\xC3\xA9", "th\xC3\xA9"}) ==
        "DATA: has a class 'cafe\xCC\x81' that the model lacks; 'cafe\xCC\x81' and 'caf\xC3\xA9' "
        "there differ in Unicode form (U+0065 U+0301 against U+00E9) alone; names must be the "
        "same");
  CHECK(difference("hot dog", "hot_dog") == "in spaces");
  CHECK(difference("hot dog", "Hotdog ") == "in case and spaces");
  CHECK(difference("\xff", "a") == "");
}

TEST_CASE("classes without samples are told alike of folders, IDX files and tables") {
  const Scratch scratch;
  CHECK(
      table(scratch, {1, 2})->notes() ==
      Names{(scratch / "table.csv").string() + ": no rows of the class '0'; labels count from 0"});
  CHECK(table(scratch, {0, 2})->notes() ==
        Names{(scratch / "table.csv").string() + ": no rows of the class '1'"});
  CHECK(table(scratch, {0, 255})->notes() ==
        Names{(scratch / "table.csv").string() +
              ": no rows of 254 of the 256 classes ('1', '2', '3', ...)"});
  const IdxDataset idx(scratch.write("i", kImages),
                       scratch.write("l", idx_bytes({2}, std::string_view("\0\2", 2))));
  CHECK(idx.notes() == Names{(scratch / "i").string() + ": no images of the class '1'"});
  fs::create_directory(scratch / "set");
  fs::create_directory(scratch / "set/b");
  CHECK(folders(scratch, {"a", "c"})->notes() ==
        Names{(scratch / "set").string() + ": no images of the class 'b'"});
}

TEST_CASE("notes of a matched data set keep what was left out at the end") {
  const Scratch scratch;
  scratch.write("set/a/notes.txt", "x");
  const auto set = match_classes(folders(scratch, {"a", "b"}), "DATA", {{"b", "c", "a"}, "it"});
  const Names notes = set.dataset->notes();
  REQUIRE(notes.size() == 2);
  CHECK(notes[0] == (scratch / "set").string() + ": no images of the class 'c'");
  CHECK(notes[1].find("left out 1") != std::string::npos);
  CHECK(set.dataset->left_out().total() == 1);
}

TEST_CASE("a data set that goes with no other can have names for its numbers") {
  const Scratch scratch;
  const auto named = name_classes(table(scratch, {1, 0}), "DATA", Names{"cats", "dogs", "owls"});
  CHECK(named->classes() == Names{"cats", "dogs", "owls"});
  CHECK(told(*named) == Names{"dogs", "cats"});
  // Numbers in the order of text: a label stays what it was, its name is that of its number.
  const Scratch other;
  const auto text = name_classes(folders(other, {"10", "2"}), "DATA",
                                 Names{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"});
  CHECK(text->classes().at(0) == "k");
  CHECK(text->classes().at(1) == "c");
  CHECK(error_of([&] {
          (void)name_classes(folders(scratch, {"a", "b"}), "DATA", Names{"x", "y"});
        }) ==
        "--class-names gives names to classes that are numbers; DATA already has names: a, b");
}

TEST_CASE("samples of a matched data set are those of the one that it is made of") {
  const Scratch scratch;
  const auto set = table(scratch, {0, 1});
  const auto matched = match_classes(set, "DATA", {{"1", "0"}, "the model"}).dataset;
  CHECK(matched->size() == 2);
  CHECK(matched->natural_shape() == Shape{1});
  CHECK(matched->dtype() == DType::f32);
  CHECK(matched->place() == set->place());
  CHECK(matched->index_bytes().count > set->index_bytes().count);
  Decoder decoder;
  std::vector<float> features(1);
  matched->load(0, TensorView(std::span(features), Shape{1}), Filter::nearest, decoder);
  CHECK(features == std::vector<float>{1.0F});
}
