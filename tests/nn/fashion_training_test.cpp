#include "nn/fashion_training.h"
#include "catch.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("on 6,000 images fp16 ends within half a point of fp32") {
  const auto data = FashionMnist::find();
  if (!data) return;
  const Trained fp32 = FashionTraining(*data, {}).run(6000);
  CHECK(fp32.accuracy > 0.6);  // of ten classes: it has learned
  const Trained fp16 = FashionTraining(*data, {.precision = nn::Precision::fp16}).run(6000);
  CHECK(fp16.accuracy == Approx(fp32.accuracy).margin(0.005));
  CHECK(fp16.skipped <= 5);
}
