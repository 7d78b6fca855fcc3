#include "nn/fashion_training.h"
#include "catch.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("on 6,000 pictures fp16 and bf16 end within half a point of fp32") {
  const auto data = FashionMnist::find();
  if (!data) return;
  const Trained fp32 = FashionTraining(*data, {}).run(6000);
  CHECK(fp32.accuracy > 0.6);  // of ten classes: it has learned
  for (const nn::Precision precision : {nn::Precision::fp16, nn::Precision::bf16}) {
    INFO(to_string(precision) << " beside " << fp32.accuracy);
    const Trained trained = FashionTraining(*data, {.precision = precision}).run(6000);
    CHECK(trained.accuracy == Approx(fp32.accuracy).margin(0.005));
    CHECK(trained.skipped <= 5);
  }
}
