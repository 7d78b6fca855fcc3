#include "catch.h"
#include "nodes/whole_samples.h"

#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/standardize.h>

#include <memory>

using namespace millrace;
using Catch::Contains;

namespace {

/// Keras's numbers as a preprocessing.
nn::Preprocessing preprocessing_of(const nlohmann::json& c) {
  nn::Preprocessing p{.scale = c.at("scale").get<float>(),
                      .samplewise_center = c.at("samplewise_center").get<bool>(),
                      .samplewise_deviation = c.at("samplewise_std_normalization").get<bool>(),
                      .whiten = c.at("zca_whitening").get<bool>()};
  if (c.contains("mean")) p.mean = c.at("mean").get<std::vector<float>>();
  if (c.contains("std")) {
    for (const auto& value : c.at("std")) {
      p.deviation.push_back(static_cast<float>(value.get<double>() + nn::kDeviationEpsilon));
    }
  }
  if (p.whiten) {
    p.whitening =
        std::make_shared<const std::vector<float>>(c.at("matrix").get<std::vector<float>>());
  }
  return p;
}

struct Rows {
  explicit Rows(const Shape& sample, std::int64_t count)
      : pool("host", 1, HostBatchFactory{.sample = sample, .dtype = DType::f32, .capacity = count},
             budget),
        batch(pool.try_acquire()) {
    batch->size = count;
    batch->valid.assign(static_cast<std::size_t>(count), 1);
  }
  void fill(std::int64_t row, const std::vector<float>& values) const {
    std::copy(values.begin(), values.end(), batch->row(row).as<float>().begin());
  }
  [[nodiscard]] std::vector<float> at(std::int64_t row) const {
    const auto values = batch->row(row).as<float>();
    return {values.begin(), values.end()};
  }
  Budget budget;
  Pool<HostBatch> pool;
  Lease<HostBatch> batch;
};

}  // namespace

TEST_CASE("samples become what ImageDataGenerator.standardize makes of them") {
  for (const auto& set : test::statistics_sets()) {
    for (const auto& c : set.at("cases")) {
      const Rows rows(test::shape_of(set), 2);
      for (std::size_t i = 0; i < 2; ++i) {
        rows.fill(static_cast<std::int64_t>(i), set.at("samples")[i].get<std::vector<float>>());
      }
      Standardize standardize(preprocessing_of(c), test::shape_of(set));
      standardize({rows.batch, 0, 2});
      for (std::size_t i = 0; i < 2; ++i) {
        CHECK(test::relative_error(rows.at(static_cast<std::int64_t>(i)), c.at("outputs")[i]) <
              1e-4);
      }
    }
  }
}

TEST_CASE("a row's whitening depends on that row alone, to the bit, and holes are left alone") {
  const auto& set = test::statistics_sets()[0];
  const auto& c = set.at("cases")[5];
  REQUIRE(c.at("zca_whitening").get<bool>());
  const auto sample = set.at("samples")[1].get<std::vector<float>>();
  Standardize standardize(preprocessing_of(c), test::shape_of(set));
  const Rows alone(test::shape_of(set), 1);
  alone.fill(0, sample);
  standardize({alone.batch, 0, 1});
  const Rows together(test::shape_of(set), 7);
  for (std::int64_t i = 0; i < 7; ++i) together.fill(i, sample);
  together.batch->valid[3] = 0;
  standardize({together.batch, 0, 6});
  CHECK(standardize.scratch().count == 4 * 48 * sizeof(float));
  for (const std::int64_t i : {0, 1, 2, 4, 5}) CHECK(together.at(i) == alone.at(0));
  for (const std::int64_t i : {3, 6}) CHECK(together.at(i) == sample);
}

TEST_CASE("an image in a float batch is its bytes as floats") {
  const auto& set = test::statistics_sets()[0];
  const auto data = std::make_shared<const test::Images>(set);
  const Rows rows(test::shape_of(set), 3);
  for (std::uint32_t i = 0; i < 3; ++i) rows.batch->index[i] = 10 + i;
  const Context::Skip fail = [](const std::string& what) { throw Error(what); };
  Context context(0, {}, fail);
  DecodeInto(data, data, Filter::nearest)({rows.batch, 0, 3}, context);
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto expected = set.at("pixels")[static_cast<std::size_t>(10 + i)];
    CHECK(rows.at(i) == expected.get<std::vector<float>>());
  }
}

TEST_CASE("BGR swaps before all else") {
  const Rows rows({1, 2, 3}, 1);
  rows.fill(0, {1, 2, 3, 4, 5, 6});
  Standardize standardize(
      {.scale = 1, .mean = {1, 0, 0}, .order = nn::ChannelOrder::bgr, .samplewise_center = true},
      {1, 2, 3});
  standardize({rows.batch, 0, 1});
  CHECK(rows.at(0) == std::vector<float>{-1.5F, -1.5F, -2.5F, 1.5F, 1.5F, 0.5F});
}

TEST_CASE("whitening that was never fitted is refused") {
  CHECK_THROWS_WITH(Standardize({.whiten = true}, {4, 4, 1}), Contains("there is no matrix"));
}
