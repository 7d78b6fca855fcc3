#include <millrace/core/shape.h>

#include "catch.h"

#include <array>
#include <cstdint>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using namespace millrace;

TEST_CASE("a shape counts its elements, and one without dimensions has one") {
  CHECK(Shape{32, 150, 150, 3}.elements() == 2'160'000);
  CHECK(Shape{32, 0, 3}.elements() == 0);
  CHECK(Shape{}.elements() == 1);
  CHECK(Shape{}.rank() == 0);
}

TEST_CASE("dimensions are counted from either end") {
  const Shape shape{32, 7, 5, 3};
  CHECK(shape[0] == 32);
  CHECK(shape[3] == 3);
  CHECK(shape[-1] == 3);
  CHECK(shape[-4] == 32);
  CHECK_THROWS_AS(shape[4], std::logic_error);
  CHECK_THROWS_AS(shape[-5], std::logic_error);
  CHECK_THROWS_AS(Shape{}[0], std::logic_error);
}

TEST_CASE("a batch dimension is put in front and taken off again") {
  const Shape sample{7, 7, 64};
  CHECK(sample.with_front(32) == Shape{32, 7, 7, 64});
  CHECK(sample.with_front(32).without_front() == sample);
  CHECK(Shape{10}.without_front() == Shape{});
  CHECK_THROWS_AS(Shape{}.without_front(), std::logic_error);
}

TEST_CASE("a shape has room for six dimensions") {
  const Shape full{1, 2, 3, 4, 5, 6};
  CHECK(full.rank() == Shape::kMaxRank);
  CHECK_THROWS_AS(full.with_front(1), std::logic_error);
  CHECK_THROWS_AS((Shape{1, 2, 3, 4, 5, 6, 7}), std::logic_error);
}

TEST_CASE("shapes of different rank differ, even by extents of one") {
  CHECK(Shape{3} != Shape{3, 1});
  CHECK(Shape{3} != Shape{1, 3});
  CHECK(Shape{} != Shape{1});
  CHECK(Shape{3, 0}.without_front() != Shape{});
}

TEST_CASE("shapes and element types print as people write them") {
  std::ostringstream out;
  out << Shape{32, 150, 150, 3};
  CHECK(out.str() == "32x150x150x3");
  CHECK(to_string(Shape{10}) == "10");
  CHECK(to_string(Shape{}) == "scalar");

  using Entry = std::pair<std::string, std::size_t>;
  const std::vector<std::pair<DType, Entry>> types = {
      {DType::u8, {"u8", 1}},     {DType::i32, {"i32", 4}}, {DType::f16, {"f16", 2}},
      {DType::bf16, {"bf16", 2}}, {DType::f32, {"f32", 4}}, {DType::f64, {"f64", 8}}};
  for (const auto& [type, entry] : types) {
    CHECK(to_string(type) == entry.first);
    CHECK(size_of(type) == entry.second);
  }
}

TEST_CASE("a view gives its memory back as the type that it holds") {
  std::array<float, 6> values = {1, 2, 3, 4, 5, 6};
  const TensorView view(std::span<float>(values), Shape{2, 3});
  CHECK(view.dtype == DType::f32);
  CHECK(view.bytes() == 24);
  view.as<float>()[4] = 50;
  CHECK(values[4] == 50);
  CHECK_THROWS_AS(view.as<double>(), std::logic_error);
  CHECK_THROWS_AS(TensorView(std::span<float>(values), Shape{7}), std::logic_error);
}

TEST_CASE("a view may show the front of a longer memory") {
  std::array<std::uint8_t, 10> pixels{};
  CHECK(TensorView(std::span<std::uint8_t>(pixels), Shape{2, 2, 2}).as<std::uint8_t>().size() == 8);
}

TEST_CASE("a view can be made read-only and never writable again") {
  std::array<std::int32_t, 2> labels = {7, 8};
  const TensorView view(std::span<std::int32_t>(labels), Shape{2});
  const ConstTensorView seen = view;
  CHECK(seen.as<std::int32_t>()[1] == 8);
  STATIC_REQUIRE(std::is_same_v<decltype(seen.as<std::int32_t>()), std::span<const std::int32_t>>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<TensorView, ConstTensorView>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<TensorView, std::span<const float>, Shape>);
}
