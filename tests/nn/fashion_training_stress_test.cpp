#include "catch.h"
#include "nn/fashion_training.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("on all 60,000 images fp16 and bf16 end within half a point of fp32") {
  const auto data = FashionMnist::find();
  if (!data) return;
  const Trained fp32 = FashionTraining(*data, {}).run(60000);
  CHECK(fp32.accuracy == Approx(0.83).margin(0.015));  // where PyTorch ends with this recipe
  for (const nn::Precision precision : {nn::Precision::fp16, nn::Precision::bf16}) {
    INFO(to_string(precision) << " beside " << fp32.accuracy);
    const Trained trained = FashionTraining(*data, {.precision = precision}).run(60000);
    std::cout << to_string(precision) << " " << trained.accuracy << ", " << trained.skipped
              << " steps skipped; fp32 " << fp32.accuracy << '\n';
    CHECK(trained.accuracy == Approx(fp32.accuracy).margin(0.005));
    CHECK(trained.skipped <= 5);
  }
}
