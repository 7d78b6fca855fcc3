#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/lost_samples.h>

using namespace millrace;

namespace {

/// The samples of a set are odd ones of class light and even ones of class dark.
SampleSet numbered(std::uint32_t size) {
  return SampleSet::all(std::make_shared<const Numbered>(size));
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a class of which no sample could be read is named") {
  const SampleSet set = numbered(20);
  LostSamples lost(set, {});
  CHECK(lost.bytes() == Bytes{20});
  for (std::uint32_t i = 0; i < 20; ++i) lost.note(Phase::training, i, i % 2 == 1);
  CHECK(lost.count(set, Phase::training) == 10);
  CHECK(lost.warnings(set, Phase::training, "training images") ==
        Lines{"none of the training images of the class 'light' could be read",
              "10 of 20 training images could not be read, 50.0 %"});
  // A sample that can be read at a later time is not lost, and the class not either.
  lost.note(Phase::training, 1, false);
  CHECK(lost.warnings(set, Phase::training, "images") ==
        Lines{"9 of 20 images could not be read, 45.0 %"});
  lost.note(Phase::training, 1, true);
  CHECK(lost.count(set, Phase::training) == 9);
}

TEST_CASE("more than a tenth of what was tried is told, a tenth is not") {
  const SampleSet set = numbered(1000);
  LostSamples lost(set, {});
  for (std::uint32_t i = 0; i < 30; ++i) lost.note(Phase::training, i, i < 3);
  CHECK(lost.warnings(set, Phase::training, "images").empty());
  lost.note(Phase::training, 30, true);
  CHECK(lost.warnings(set, Phase::training, "images") ==
        Lines{"4 of 31 images could not be read, 12.9 %"});
}

TEST_CASE("training and validation samples are told apart, of one data set and of two") {
  const SampleSet all = numbered(10);
  const SampleSet first{all.dataset, {0, 1, 2, 3}}, second{all.dataset, {4, 5, 6, 7}};
  LostSamples of_one(first, second);
  CHECK(of_one.bytes() == Bytes{10});
  of_one.note(Phase::validation, 5, true);
  CHECK(of_one.count(first, Phase::training) == 0);
  CHECK(of_one.count(second, Phase::validation) == 1);

  const SampleSet other = numbered(10);
  LostSamples of_two(first, other);
  of_two.note(Phase::validation, 1, true);
  CHECK(of_two.count(first, Phase::training) == 0);
  CHECK(of_two.count(other, Phase::validation) == 1);
}

TEST_CASE("many lost classes are counted, not all named") {
  class Many final : public Dataset {
   public:
    Many() {
      for (int i = 0; i < 8; ++i) classes_.push_back(std::to_string(i));
    }
    [[nodiscard]] std::uint32_t size() const noexcept override { return 8; }
    [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
      return classes_;
    }
    [[nodiscard]] int label(std::uint32_t index) const override { return static_cast<int>(index); }
    [[nodiscard]] std::string name(std::uint32_t) const override { return ""; }
    [[nodiscard]] Bytes index_bytes() const noexcept override { return {}; }
    [[nodiscard]] Shape natural_shape() const override { return {}; }
    [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
    void load(std::uint32_t, TensorView, Filter, Decoder&) const override {}

   private:
    std::vector<std::string> classes_;
  };
  const SampleSet set = SampleSet::all(std::make_shared<const Many>());
  LostSamples lost(set, {});
  for (std::uint32_t i = 0; i < 8; ++i) lost.note(Phase::training, i, i != 3);
  CHECK(lost.warnings(set, Phase::training, "images").front() ==
        "none of the images of the classes '0', '1', '2', '4', '5' and 2 more could be read");
}

TEST_CASE("decoding tells of the samples that it could not read") {
  const auto data =
      std::make_shared<const Numbered>(20, Shape{4, 4, 1}, std::set<std::uint32_t>{13});
  const SampleSet set = SampleSet::all(data);
  const auto lost = std::make_shared<LostSamples>(set, SampleSet{});
  Budget budget;
  Pool<HostBatch> pool("host", 1, HostBatchFactory{.sample = {4, 4, 1}, .capacity = 8}, budget);
  Lease<HostBatch> batch = pool.try_acquire();
  batch->size = 8;
  for (std::uint32_t i = 0; i < 8; ++i) batch->index[i] = 10 + i;
  const Context::Skip on_skip = [](const std::string&) {};
  Context context(0, {}, on_skip);
  const DecodeInto original(data, nullptr, Filter::nearest, {}, lost);
  DecodeInto copy(original);  // as a stage makes them
  copy({batch, 0, 8}, context);
  CHECK(lost->count(set, Phase::training) == 1);
}
