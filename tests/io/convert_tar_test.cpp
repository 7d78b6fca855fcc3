// Class folders packed into tar shards.

#include "catch.h"
#include "io/tar_files.h"

#include <millrace/io/class_folder.h>
#include <millrace/io/convert_tar.h>

#include <algorithm>
#include <set>
#include <stop_token>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

void write_folders(const Scratch& scratch, const std::string& root, int count) {
  for (int i = 0; i < count; ++i) {
    scratch.write(concat(root, i % 3 == 0 ? "/dogs/" : "/cats/", 100 + i, ".pgm"), grey_image(i));
  }
}

Strings files_in(const fs::path& folder) {
  Strings names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    names.push_back(fs::relative(entry.path(), folder).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Class and pixel of each sample, sorted.
Strings samples_of(const Dataset& data) {
  Strings all;
  for (std::uint32_t i = 0; i < data.size(); ++i) {
    all.push_back(
        concat(data.classes().at(static_cast<std::size_t>(data.label(i))), ' ', pixel(data, i)));
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

TEST_CASE("shards hold the files of class folders and their classes, mixed by the seed") {
  const Scratch scratch;
  write_folders(scratch, "data/train", 40);
  write_folders(scratch, "data/test", 7);
  const TarConversion done =
      convert_tar(scratch / "data", scratch / "out/", {.size = {.samples = 16}});
  CHECK(done.images == 47);
  CHECK(done.shards == 4);
  CHECK(files_in(scratch / "out") == Strings{"classnames.txt", "test-000000.tar",
                                             "train-000000.tar", "train-000001.tar",
                                             "train-000002.tar"});
  CHECK(text_of(scratch / "out/classnames.txt") == "cats\ndogs\n");
  const Datasets packed = open_datasets(find_data(scratch / "out"));
  CHECK(samples_of(*packed.train) == samples_of(ClassFolder(scratch / "data/train")));
  CHECK(samples_of(*packed.validation) == samples_of(ClassFolder(scratch / "data/test")));
  const auto firsts = packed.train->shards();
  CHECK(std::vector<std::uint32_t>(firsts.begin(), firsts.end()) ==
        std::vector<std::uint32_t>{0, 16, 32});
  CHECK(packed.train->left_out().total() == 0);
  // Both classes in each shard, and another order by another seed.
  for (const std::uint32_t first : {0U, 16U, 32U}) {
    std::set<int> labels;
    for (std::uint32_t i = first; i < first + 8; ++i) labels.insert(packed.train->label(i));
    CHECK(labels.size() == 2);
  }
  convert_tar(scratch / "data", scratch / "again", {.size = {.samples = 16}});
  convert_tar(scratch / "data", scratch / "other", {.size = {.samples = 16}, .seed = 2});
  CHECK(text_of(scratch / "again/train-000001.tar") == text_of(scratch / "out/train-000001.tar"));
  CHECK(text_of(scratch / "other/train-000001.tar") != text_of(scratch / "out/train-000001.tar"));
}

TEST_CASE("without shuffling shards are to the byte what Python's tarfile writes") {
  const Scratch scratch;
  scratch.write("data/cats/1.pgm", grey_image(10));
  scratch.write("data/cats/2.pgm", grey_image(20));
  scratch.write("data/dogs/3.pgm", grey_image(30));
  convert_tar(scratch / "data", scratch / "out", {.shuffle = false});
  CHECK(text_of(scratch / "out/shard-000000.tar") ==
        text_of(MILLRACE_TEST_DATA "/io/tar/converted.tar"));
}

TEST_CASE("a shard ends before the sample that would make it too large") {
  const Scratch scratch;
  write_folders(scratch, "data", 10);
  // A sample takes two headers and two blocks, 2 KiB, and an archive is filled up to 10 KiB: with
  // its end mark four of them, of which nine go into two.
  convert_tar(scratch / "data", scratch / "out", {.size = {.bytes = 10_KiB}});
  CHECK(files_in(scratch / "out").size() == 4);
  convert_tar(scratch / "data", scratch / "two", {.size = {.bytes = 20_KiB}});
  CHECK(files_in(scratch / "two").size() == 3);
  write_folders(scratch, "more", 100);
  for (const Bytes size : {10_KiB, 16_KiB, 20_KiB, 30_KiB, 40_KiB, 100_KiB}) {
    const fs::path out = scratch / concat("more-", size.count);
    convert_tar(scratch / "more", out, {.size = {.bytes = size}});
    for (const std::string& file : files_in(out)) CHECK(fs::file_size(out / file) <= size.count);
  }
  convert_tar(scratch / "data", scratch / "each", {.size = {.bytes = 1_B}});
  CHECK(files_in(scratch / "each").size() == 11);
}

TEST_CASE("what is left out of the folders that are packed is told") {
  const Scratch scratch;
  write_folders(scratch, "data", 4);
  scratch.write("data/cats/readme.txt", "");
  fs::create_symlink("nowhere.png", scratch / "data/dogs/5.png");
  const TarConversion done = convert_tar(scratch / "data", scratch / "out");
  CHECK(done.images == 4);
  REQUIRE(done.notes.size() == 1);
  CHECK_THAT(done.notes.front(), Contains("left out 2: 1 not an image by its ending "
                                          "(cats/readme.txt); 1 link to nowhere (dogs/5.png)"));
}

TEST_CASE("a file that is no image by its header is not packed") {
  const Scratch scratch;
  write_folders(scratch, "data", 6);
  scratch.write("data/cats/200.jpg", "<html>not found</html>");
  scratch.write("data/dogs/201.png", "\x89PNG\r\n\x1A\n");
  const std::string refused =
      error_of([&] { convert_tar(scratch / "data", scratch / "out", {.shuffle = false}); });
  CHECK_THAT(refused, Contains("cats/200.jpg: ") && Contains("--on-bad-image skip"));
  CHECK(!fs::exists(scratch / "out"));
  CHECK(!fs::exists(scratch / "out.partial"));
  const TarConversion done =
      convert_tar(scratch / "data", scratch / "out", {.shuffle = false, .skips_unreadable = true});
  CHECK(done.images == 6);
  CHECK(done.left_out == 2);
  REQUIRE(done.notes.size() == 1);
  CHECK_THAT(done.notes.front(),
             Contains("left out 2 files that cannot be read as an image, the first: ") &&
                 Contains("cats/200.jpg"));
  const Datasets packed = open_datasets(find_data(scratch / "out"));
  CHECK(samples_of(*packed.train).size() == 6);
  CHECK(packed.train->left_out().total() == 0);
  scratch.write("none/cats/1.jpg", "no image");
  scratch.write("none/dogs/1.jpg", "no image");
  CHECK_THAT(error_of([&] {
               convert_tar(scratch / "none", scratch / "nothing", {.skips_unreadable = true});
             }),
             Contains("no file is left to pack"));
  CHECK(!fs::exists(scratch / "nothing"));
}

TEST_CASE("what is no set of class folders or would replace something is not packed") {
  const Scratch scratch;
  write_folders(scratch, "data", 4);
  const auto refused = [&](const fs::path& data, const fs::path& out) {
    return error_of([&] { convert_tar(data, out); });
  };
  CHECK_THAT(refused(scratch / "nowhere", scratch / "out"), Contains("nowhere: No such file"));
  CHECK_THAT(refused("generated:10x4:2", scratch / "out"), Contains("no folder of class folders"));
  CHECK_THAT(refused(scratch / "data", scratch / "data"), Contains("holds something already"));
  scratch.write("out.partial/mine", "");
  CHECK_THAT(refused(scratch / "data", scratch / "out"), Contains("out.partial: is in the way"));
  scratch.write("odd/cats /1.pgm", grey_image(1));
  scratch.write("odd/dogs/1.pgm", grey_image(1));
  CHECK_THAT(refused(scratch / "odd", scratch / "odd-out"),
             Contains("cannot be a line of classnames"));
  CHECK(!fs::exists(scratch / "odd-out.partial"));
  fs::remove(scratch / "data/cats/101.pgm");
  fs::create_symlink("/proc/self/mem", scratch / "data/cats/101.pgm");
  CHECK(!refused(scratch / "data", scratch / "broken").empty());
  CHECK(!fs::exists(scratch / "broken"));
  CHECK(!fs::exists(scratch / "broken.partial"));
}

TEST_CASE("packing that is stopped leaves nothing, and what was killed is begun anew") {
  const Scratch scratch;
  write_folders(scratch, "data", 600);
  std::stop_source stop;
  ConvertTarOptions options;
  options.watch = {[&](std::uint64_t) { stop.request_stop(); }, stop.get_token()};
  CHECK_THROWS_AS(convert_tar(scratch / "data", scratch / "out", options), Stopped);
  CHECK(!fs::exists(scratch / "out"));
  CHECK(!fs::exists(scratch / "out.partial"));
  scratch.write("out.partial/.millrace-tar", "");
  scratch.write("out.partial/shard-000000.tar", "half of one");
  CHECK(convert_tar(scratch / "data", scratch / "out").images == 600);
  CHECK(files_in(scratch / "out") == Strings{"classnames.txt", "shard-000000.tar"});
}
