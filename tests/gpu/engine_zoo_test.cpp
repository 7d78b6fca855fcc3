// The models of the zoo on the device under test beside the float64 reference, frozen bases too.

#include <millrace/nn/transfer.h>
#include <millrace/nn/zoo/zoo.h>

#include <string>

#include "catch.h"
#include "gpu/engines.h"

using namespace millrace;
using nn::Precision;
using test::check_model;
using test::kFp32;

namespace {

const std::vector<Precision> kFp32AndFp16{Precision::fp32, Precision::fp16};

nn::CompileOptions sgd(std::int64_t batch) {
  return {.batch = batch, .optimizer = {.learning_rate = 0.01}};
}

}  // namespace

TEST_CASE("The zoo's mlp and cnn agree with float64") {
  check_model(nn::zoo_model("mlp:50,20", {28, 28, 1}, 10), sgd(6), {6, 4}, kFp32AndFp16);
  check_model(nn::zoo_model("cnn:16,24:32", {20, 20, 3}, 4), sgd(4), {4, 3}, kFp32AndFp16);
}

TEST_CASE("The zoo's vgg16 with a frozen base agrees with float64, and the base stays as it is") {
  nn::Model model =
      nn::with_head(nn::zoo_model("vgg16", {32, 32, 3}, 1000), "gap,dense:16:relu,dense", 3);
  REQUIRE(nn::freeze(model, "features") == 13);
  check_model(model, sgd(1), {1}, kFp32);

  const test::TestedEngine tested(Precision::fp16);
  const auto executor = test::executor(*tested.engine, model, sgd(1));
  const std::vector<float> before = test::read(*executor, nn::Arena::parameters);
  const test::OwnedBatch data(model, test::kSoftmax, 1, 1);
  for (int t = 1; t <= 2; ++t) executor->train(data.batch(), t, 0.1);
  const std::vector<float> after = test::read(*executor, nn::Arena::parameters);
  std::size_t changed = 0;
  for (const nn::Parameter& parameter : nn::parameters(model)) {
    const auto first = static_cast<std::size_t>(parameter.offset);
    const auto count = static_cast<std::size_t>(parameter.shape.elements());
    const bool same = std::equal(before.begin() + static_cast<std::ptrdiff_t>(first),
                                 before.begin() + static_cast<std::ptrdiff_t>(first + count),
                                 after.begin() + static_cast<std::ptrdiff_t>(first));
    INFO(parameter.name);
    if (!parameter.trainable) CHECK(same);
    changed += same ? 0 : 1;
  }
  CHECK(changed > 0);
  std::size_t backward = 0;
  for (const nn::OpTiming& op : executor->timings()) {
    if (op.name.find("backward") == std::string::npos) continue;
    INFO(op.name);
    CHECK(op.name.rfind("features", 0) != 0);
    ++backward;
  }
  CHECK(backward > 0);
  tested.check_device();
}
