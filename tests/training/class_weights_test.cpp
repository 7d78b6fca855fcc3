#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/nodes/class_mode.h>
#include <millrace/training/class_weights.h>

using namespace millrace;
using Catch::Contains;

namespace {

SampleSet numbered(std::vector<std::uint32_t> samples) {
  return {std::make_shared<const Numbered>(20), std::move(samples)};
}

}  // namespace

TEST_CASE("balanced weights are scikit-learn's") {
  // sklearn.utils.class_weight.compute_class_weight("balanced", classes=[0, 1],
  //   y=[0, 0, 0, 0, 0, 1, 1]) of 1.7 gives [0.7, 1.75].
  const std::vector<float> weights = class_weights("balanced", numbered({0, 2, 4, 6, 8, 1, 3}));
  REQUIRE(weights.size() == 2);
  CHECK(weights[0] == Approx(0.7));
  CHECK(weights[1] == Approx(1.75));
}

TEST_CASE("weights are given by name, and classes that are not named weigh 1") {
  const SampleSet set = numbered({0, 1});
  CHECK(class_weights("light=2.5", set) == std::vector<float>{1, 2.5F});
  CHECK(class_weights("light=2,dark=0", set) == std::vector<float>{0, 2});
  CHECK(class_weights("", set).empty());
}

TEST_CASE("weights that make no sense are refused in one line") {
  const SampleSet set = numbered({0, 1});
  CHECK_THROWS_WITH(class_weights("grey=2", set),
                    "class weights: unknown class 'grey'; classes: dark, light");
  CHECK_THROWS_WITH(class_weights("dark", set), Contains("expected 'balanced' or NAME=WEIGHT"));
  CHECK_THROWS_WITH(class_weights("dark=two", set), Contains("'two' of 'dark' is not a number"));
  CHECK_THROWS_WITH(class_weights("dark=-1", set), Contains("0 or more"));
  CHECK_THROWS_WITH(class_weights("dark=inf", set), Contains("0 or more"));
  CHECK_THROWS_WITH(class_weights("dark=1,dark=2", set), Contains("is given twice"));
  CHECK_THROWS_WITH(class_weights("dark=0,light=0", set), Contains("nothing to learn"));
}

TEST_CASE("class modes have Keras's names, and binary wants two classes") {
  for (const char* name : {"binary", "categorical", "sparse", "input", "none"}) {
    CHECK(std::string(to_string(class_mode_named(name))) == name);
  }
  CHECK_THROWS_WITH(class_mode_named("multi"), Contains("known: binary, categorical"));
  CHECK_NOTHROW(check_class_mode(ClassMode::binary, 2));
  CHECK_THROWS_WITH(check_class_mode(ClassMode::binary, 5), Contains("the data have 5"));
}
