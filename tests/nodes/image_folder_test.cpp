#include "catch.h"

#include <millrace/io/files.h>
#include <millrace/io/png.h>
#include <millrace/nodes/image_folder.h>

#include <algorithm>
#include <set>
#include <stop_token>

using namespace millrace;

namespace {

/// Two classes of images in other sizes; image n of class c is all of value 100 c + n.
std::filesystem::path images(const char* name, int each, bool with_a_bad_one) {
  const std::filesystem::path root =
      std::filesystem::path(MILLRACE_SCRATCH) / "image_folder_test" / name;
  std::filesystem::remove_all(root);
  for (int label = 0; label < 2; ++label) {
    const std::filesystem::path folder = root / (label == 0 ? "cats" : "dogs");
    std::filesystem::create_directories(folder);
    for (int n = 0; n < each; ++n) {
      const std::vector<std::uint8_t> pixels(3000, static_cast<std::uint8_t>(100 * label + n));
      const std::string file = std::to_string(1000 + n) + ".png";
      write_file(folder / file, encode_png({pixels.data(), 20 + n, 30, 1}));
    }
  }
  if (with_a_bad_one)
    write_file(root / "cats" / "bad.png", std::as_bytes(std::span("not an image", 13)));
  return root;
}

}  // namespace

TEST_CASE("a folder of class folders is a range of batches") {
  std::multiset<std::pair<int, int>> seen;
  for (const Lease<HostBatch>& batch :
       image_folder(images("range", 9, false), {.size = 8, .batch = 4, .threads = 2})) {
    CHECK(batch->rows().shape.without_front() == Shape{8, 8, 3});
    for (std::int64_t i = 0; i < batch->size; ++i) {
      const auto row = batch->row(i).as<std::uint8_t>();
      CHECK(std::adjacent_find(row.begin(), row.end(), std::not_equal_to<>()) == row.end());
      seen.emplace(batch->labels[static_cast<std::size_t>(i)], row.front());
    }
  }
  REQUIRE(seen.size() == 18);
  for (int n = 0; n < 9; ++n) {
    CHECK(seen.count({0, n}) == 1);
    CHECK(seen.count({1, 100 + n}) == 1);
  }
}

TEST_CASE("the class mode says what batches tell of their samples") {
  const std::filesystem::path root = images("modes", 3, true);
  const auto check = [&](ClassMode mode, auto&& visit) {
    for (const Lease<HostBatch>& batch :
         image_folder(root, {.size = 4, .batch = 8, .class_mode = mode, .on_bad_image = skip()})) {
      REQUIRE(batch->size == 6);
      for (std::int64_t i = 0; i < batch->size; ++i) {
        // Rows have moved over the hole of the bad image, and their targets with them.
        const bool is_dog = batch->row(i).as<std::uint8_t>()[0] >= 100;
        visit(*batch, i, is_dog ? 1 : 0);
      }
    }
  };
  check(ClassMode::categorical, [](HostBatch& batch, std::int64_t i, int label) {
    const auto target = batch.target(i);
    REQUIRE(target.size() == 2);
    CHECK(target[static_cast<std::size_t>(label)] == 1);
    CHECK(target[static_cast<std::size_t>(1 - label)] == 0);
  });
  check(ClassMode::binary, [](HostBatch& batch, std::int64_t i, int label) {
    CHECK(batch.labels[static_cast<std::size_t>(i)] == label);
    CHECK(batch.targets.empty());
  });
  check(ClassMode::none, [](HostBatch& batch, std::int64_t i, int) {
    CHECK(batch.labels[static_cast<std::size_t>(i)] == -1);
  });
}

TEST_CASE("a bad image ends the loop with its name, or is left out") {
  const std::filesystem::path root = images("bad", 5, true);
  const auto count = [&](OnError policy) {
    std::int64_t samples = 0;
    for (const Lease<HostBatch>& batch :
         image_folder(root, {.size = 8, .batch = 4, .on_bad_image = policy})) {
      samples += batch->size;
    }
    return samples;
  };
  CHECK_THROWS_WITH(count(fail()), Catch::Contains("decode: ") && Catch::Contains("bad.png"));
  CHECK(count(skip()) == 10);
}

TEST_CASE("a stop request ends the loop over a folder") {
  std::stop_source stop;
  Range<Lease<HostBatch>> batches = image_folder(
      images("stop", 9, false), {.size = 8, .batch = 2, .epochs = 1'000'000}, stop.get_token());
  int seen = 0;
  for (const Lease<HostBatch>& batch : batches) {
    CHECK(batch->size == 2);
    if (++seen == 3) stop.request_stop();
  }
  CHECK(seen >= 3);
  CHECK(seen <= 4);  // one may have been on offer
  CHECK(batches.report().stopped);
}

TEST_CASE("a folder that is not there is named at once") {
  CHECK_THROWS_WITH(image_folder("no/such/folder"), Catch::Contains("no/such/folder"));
}
