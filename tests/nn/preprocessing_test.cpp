#include <millrace/nn/preprocessing.h>

#include "catch.h"

#include <limits>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

TEST_CASE("The preprocessing of a family has Keras's numbers") {
  // keras.applications.imagenet_utils.preprocess_input of 3.15, by mode.
  const Preprocessing caffe = preprocessing_named("caffe");
  CHECK(caffe.order == ChannelOrder::bgr);
  CHECK(caffe.scale == 1);
  CHECK(caffe.mean == std::vector<float>{103.939F, 116.779F, 123.68F});
  CHECK(caffe.deviation.empty());
  const Preprocessing tf = preprocessing_named("tf", 1);
  CHECK(255 * tf.scale - tf.mean.at(0) == 1);
  CHECK(tf.mean.size() == 1);
  const Preprocessing torch = preprocessing_named("torch");
  CHECK(torch.order == ChannelOrder::rgb);
  CHECK(torch.deviation == std::vector<float>{0.229F, 0.224F, 0.225F});
  CHECK(preprocessing_named("rescale") == Preprocessing{});
}

TEST_CASE("A family that does not exist or does not fit is refused") {
  CHECK_THROWS_WITH(preprocessing_named("coffee"),
                    "unknown preprocessing 'coffee'; known: caffe, tf, torch, rescale");
  CHECK_THROWS_WITH(preprocessing_named("caffe", 1),
                    "preprocessing 'caffe' needs RGB images, not 1 channel");
}

TEST_CASE("A preprocessing is described in one line, by its family where it has one") {
  CHECK(describe(preprocessing_named("caffe")) == "caffe: BGR, minus 103.939,116.779,123.68");
  CHECK(describe(preprocessing_named("tf")) == "tf: pixel / 127.5, minus 1,1,1");
  CHECK(describe({}) == "rescale: pixel / 255");
  CHECK(describe({.scale = 1}) == "as it is");
  CHECK(describe({.samplewise_center = true, .whiten = true}) ==
        "pixel / 255, minus the sample's mean, whitened");
}

TEST_CASE("Images travel as bytes unless a step looks at whole samples") {
  CHECK(host_dtype(preprocessing_named("torch"), DType::u8) == DType::u8);
  CHECK(host_dtype({.samplewise_center = true}, DType::u8) == DType::f32);
  CHECK(host_dtype({.whiten = true}, DType::u8) == DType::f32);
  CHECK(host_dtype({}, DType::f32) == DType::f32);
}

TEST_CASE("A preprocessing that cannot be is refused with its field") {
  const auto check = [](Preprocessing p, Shape sample) { check_preprocessing(p, sample); };
  CHECK_NOTHROW(check(preprocessing_named("caffe"), {8, 8, 3}));
  CHECK_THROWS_WITH(check(preprocessing_named("caffe"), {8, 8, 1}), Contains("preprocessing.mean"));
  CHECK_THROWS_WITH(check({.order = ChannelOrder::bgr}, {8, 8, 1}),
                    "preprocessing.order: bgr needs images of 3 channels, not 8x8x1");
  CHECK_THROWS_WITH(check({.scale = std::numeric_limits<float>::infinity()}, {8}),
                    Contains("preprocessing.scale"));
  CHECK_THROWS_WITH(check({.deviation = {0}}, {8, 8, 1}), Contains("expected positive numbers"));
  CHECK_THROWS_WITH(check({.samplewise_deviation = true}, {8, 8, 1}),
                    Contains("needs samplewise_center"));
  CHECK_THROWS_WITH(check({.samplewise_center = true}, {8}), Contains("not for rows of 8"));
}

TEST_CASE("Whitening of too many elements is refused with the sum") {
  CHECK_NOTHROW(check_preprocessing({.whiten = true}, {64, 64, 1}));
  CHECK_THROWS_WITH(check_preprocessing({.whiten = true}, {150, 150, 3}),
                    "preprocessing.whiten: a sample of 67500 elements needs a matrix of 67500 x "
                    "67500 numbers (17 GiB); the limit is 4096 elements");
  Preprocessing p{.whiten = true, .whitening = std::make_shared<const std::vector<float>>(15)};
  CHECK_THROWS_WITH(check_preprocessing(p, {2, 2, 1}),
                    "preprocessing.whitening: 15 numbers for samples of 4 elements");
}

}  // namespace
