#include <millrace/io/left_out.h>

#include "catch.h"

using namespace millrace;

TEST_CASE("what is left out is counted by reason and named, in the order of the names") {
  LeftOut all;
  CHECK(all.summary().empty());
  CHECK(all.total() == 0);
  for (const char* name : {"b/4", "b/2", "a/9", "b/3", "b/1"}) all.add(LeftOutReason::hidden, name);
  all.add(LeftOutReason::ending, "a/notes.txt");
  all.add(LeftOutReason::format, "a/1.heic", "HEIC, which is not read");
  all.add(LeftOutReason::format, "a/1.avif", "AVIF, which is not read");
  CHECK(all.total() == 8);
  CHECK(all.count(LeftOutReason::hidden) == 5);
  CHECK(all.count(LeftOutReason::format) == 2);
  CHECK(all.count(LeftOutReason::empty) == 0);
  CHECK(all.summary() ==
        "left out 8: 5 hidden (a/9, b/1, b/2, ...); 1 not an image by its ending (a/notes.txt); "
        "1 AVIF, which is not read (a/1.avif); 1 HEIC, which is not read (a/1.heic)");
  using Counts = std::vector<std::pair<std::string, std::uint64_t>>;
  const auto counts = all.counts();
  CHECK(Counts(counts.begin(), counts.end()) ==
        Counts{{"hidden", 5}, {"not_an_image_by_ending", 1}, {"format_not_read", 2}});
  CHECK(all.lines(LeftOutReason::format) ==
        std::vector<std::string>{"a/1.avif: AVIF, which is not read",
                                 "a/1.heic: HEIC, which is not read"});
  CHECK(all.lines().size() == 6);  // of the hidden three
}

TEST_CASE(
    "of a million files that are left out a few names are kept, or all where they are wanted") {
  LeftOut few, all(LeftOut::kAllNames);
  constexpr int kCount = 20'000;
  for (int i = 0; i < kCount; ++i) {
    const std::string name = std::to_string(kCount - i);
    few.add(LeftOutReason::ending, name);
    all.add(LeftOutReason::ending, name);
  }
  CHECK(few.total() == kCount);
  CHECK(few.lines().size() == LeftOut::kFewNames);
  CHECK(all.lines().size() == kCount);
  CHECK(all.summary() == few.summary());
}

TEST_CASE("two counts of what was left out add up") {
  LeftOut a, b;
  a.add(LeftOutReason::empty, "z");
  a.add(LeftOutReason::unreadable, "x", "Permission denied");
  for (const char* name : {"d", "c", "b", "a"}) b.add(LeftOutReason::empty, name);
  CHECK_FALSE(b.loses_images());
  a.add(b);
  CHECK(a.loses_images());
  CHECK(a.summary() ==
        "left out 6: 5 empty files (a, b, c, ...); 1 cannot be read: Permission denied (x)");
}

TEST_CASE("names of what is left out are shown without codes for the terminal") {
  LeftOut all;
  all.add(LeftOutReason::content, "a\x1b[31m\nb");
  CHECK(all.summary() == "left out 1: 1 not an image by its content (a\\e[31m\\nb)");
}
