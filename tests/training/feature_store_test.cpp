// Rows of features in memory and in files.

#include "catch.h"
#include "io/scratch.h"

#include <millrace/training/feature_store.h>

#include <memory>
#include <vector>

using namespace millrace;
using Catch::Contains;
using test::Scratch;

namespace {

/// Exact in fp16 too.
std::vector<float> row_of(std::uint64_t row) {
  return {static_cast<float>(row), 0.5F, -static_cast<float>(row) / 4};
}

FeatureLayout layout_of(FeaturePrecision precision) {
  return {.width = 3, .training = 4, .validation = 2, .views = 2, .precision = precision};
}

void fill_all_but(FeatureStore& store, std::uint64_t missing) {
  for (std::uint64_t row = 0; row < store.layout().rows(); ++row) {
    if (row != missing) store.put(row, row_of(row));
  }
  store.finish();
}

void check_all_but(const FeatureStore& store, std::uint64_t missing) {
  for (std::uint64_t row = 0; row < store.layout().rows(); ++row) {
    CHECK(store.has(row) == (row != missing));
    if (row == missing) continue;
    std::vector<float> values(3);
    store.get(row, values);
    CHECK(values == row_of(row));
  }
}

}  // namespace

TEST_CASE("each view of a training sample has a row, and validation comes behind them") {
  const FeatureLayout layout = layout_of(FeaturePrecision::fp32);
  CHECK(layout.rows() == 10);
  CHECK(layout.row(Phase::training, 0, 3) == 3);
  CHECK(layout.row(Phase::training, 1, 0) == 4);
  CHECK(layout.row(Phase::validation, 0, 1) == 9);
  CHECK(layout.row(Phase::validation, 1, 1) == 9);
  CHECK(layout.bytes() == Bytes{120});
  CHECK(layout_of(FeaturePrecision::fp16).bytes() == Bytes{60});
}

TEST_CASE("features come back from memory and from a file as they were put there") {
  const FeaturePrecision precision = GENERATE(FeaturePrecision::fp32, FeaturePrecision::fp16);
  const std::uint64_t missing = GENERATE(0, 5, 7, 9);
  const Scratch scratch;
  const FeatureLayout layout = layout_of(precision);
  FeatureMemory memory(layout);
  fill_all_but(memory, missing);
  check_all_but(memory, missing);
  const std::filesystem::path path = scratch / "features.safetensors";
  FeatureFile written(path, layout, {{"weights", "1"}});
  CHECK_FALSE(std::filesystem::exists(path));  // before it is whole
  fill_all_but(written, missing);
  check_all_but(written, missing);
  const FoundFeatures found = find_features(path, layout, {{"weights", "1"}});
  REQUIRE(found.store != nullptr);
  check_all_but(*found.store, missing);
}

TEST_CASE("a file of features says in what it differs from what is asked for") {
  const Scratch scratch;
  const std::filesystem::path path = scratch / "features.safetensors";
  const FeatureLayout layout = layout_of(FeaturePrecision::fp32);
  const Metadata origin{{"data", "a"}, {"weights", "1"}};
  const FoundFeatures none = find_features(path, layout, origin);
  CHECK(none.store == nullptr);
  CHECK(none.why_not.empty());
  FeatureFile written(path, layout, origin);
  fill_all_but(written, 99);
  const auto why = [&](const FeatureLayout& asked, const Metadata& from) {
    return find_features(path, asked, from).why_not;
  };
  CHECK(why(layout, origin).empty());
  CHECK_THAT(why(layout, {{"data", "a"}, {"weights", "2"}}), Contains("is of other weights"));
  CHECK_THAT(why(layout, {{"data", "b"}, {"weights", "1"}}), Contains("is of other data"));
  CHECK_THAT(why(layout_of(FeaturePrecision::fp16), origin), Contains("has no training F16"));
  FeatureLayout fewer = layout;
  fewer.views = 1;
  CHECK_THAT(why(fewer, origin), Contains("has no training F32 4x3"));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  CHECK_THAT(why(layout, origin), Contains("features.safetensors: "));
  scratch.write("features.safetensors", "nothing of the kind");
  CHECK_THAT(why(layout, origin), Contains("features.safetensors: "));
}

TEST_CASE("a feature beyond what fp16 holds is an error that says what to do") {
  FeatureMemory store(layout_of(FeaturePrecision::fp16));
  const std::vector<float> large{1, 70'000, 2};
  CHECK_THROWS_WITH(store.put(0, large), Contains("70000") && Contains("--cache-precision fp32"));
  FeatureMemory exact(layout_of(FeaturePrecision::fp32));
  CHECK_NOTHROW(exact.put(0, large));
}
