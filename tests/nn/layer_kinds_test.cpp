// What holds for every kind of layer, over the list of them.

#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/layers/registry.h>
#include <millrace/nn/model.h>
#include <millrace/nn/model_json.h>

#include "catch.h"
#include "engines/foreign_kind.h"

#include <set>
#include <type_traits>
#include <utility>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

struct AnyValue {
  template <class T>
  operator T() const;  // NOLINT(google-explicit-constructor): stands for any member
};
/// How many members an aggregate has, and bases.
template <class T, class... Values>
constexpr std::size_t elements() {
  if constexpr (requires { T{std::declval<Values>()..., AnyValue{}}; }) {
    return elements<T, Values..., AnyValue>();
  }
  return sizeof...(Values);
}
template <class T>
constexpr std::size_t members() {
  return elements<T>() - (std::is_base_of_v<Elementwise<T>, T> ? 1 : 0);
}

/// Sets every option to another value, and counts them.
class Changes final : public FieldList {
 public:
  std::size_t count = 0;

 private:
  void field(const char*, Field field, bool) override {
    ++count;
    std::visit([](auto* value) { change(*value); }, field);
  }
  static void change(bool& value) { value = !value; }
  static void change(std::int64_t& value) { value += value == 0 ? 2 : 1; }  // filters, groups
  static void change(std::uint32_t& value) { value += 1; }
  static void change(float& value) { value *= 0.5F; }
  static void change(Padding& value) { value = Padding::sides(1, 0, 1, 1); }
  static void change(Pair& value) { value = {value.rows + 1, value.columns}; }
};

template <class Kind>
void check() {
  INFO(Kind::kFacts.name);
  const LayerKind plain = Kind{};
  CHECK(layer_kind(Kind::kFacts.name) == plain);
  LayerKind changed = plain;
  Changes changes;
  changed.list(changes);
  CHECK(changes.count == (std::is_empty_v<Kind> ? 0 : members<Kind>()));
  CHECK((changed == plain) == std::is_empty_v<Kind>);

  ModelBuilder builder("m", {12, 12, 2});
  if (std::string_view(Kind::kFacts.name) == "dense") builder.flatten();
  if (Kind::kFacts.least_inputs > 1) builder.branches({[](auto&) {}, [](auto&) {}});
  builder.add(changed);
  const Model model = builder.build();
  CHECK(model.layers.back().name == concat(Kind::kFacts.stem, 1));
  const Model read = model_from_json(to_json(model));
  CHECK(read == model);
  CHECK(read.layers.back().kind == changed);
}

TEST_CASE("Every option of a kind is listed, compared, written to JSON and read") {
#define MILLRACE_CHECK_KIND(Kind) check<Kind>();
  MILLRACE_LAYER_KINDS(MILLRACE_CHECK_KIND)
}

TEST_CASE("Kinds have names and stems of their own") {
  std::set<std::string_view> names, stems;
  std::size_t count = 0;
#define MILLRACE_NAME_KIND(Kind)   \
  names.insert(Kind::kFacts.name); \
  stems.insert(Kind::kFacts.stem); \
  ++count;
  MILLRACE_LAYER_KINDS(MILLRACE_NAME_KIND)
  CHECK(names.size() == count);
  CHECK(stems.size() == count);
}

TEST_CASE("A kind and its options are told as text") {
  CHECK(to_string(Conv2D{.filters = 16, .padding = Padding::same}) ==
        "conv2d(filters 16, rows 3, columns 3, stride 1, padding same, bias true)");
  CHECK(to_string(Conv2D{.filters = 8,
                         .rows = 1,
                         .stride = {2, 1},
                         .padding = Padding::sides(0, 1, 2, 3),
                         .groups = 4,
                         .dilation = 2}) ==
        "conv2d(filters 8, rows 1, columns 3, stride 2x1, padding [0, 1, 2, 3], bias true, "
        "groups 4, dilation 2)");
  CHECK(to_string(Dropout{.rate = 0.25F}) == "dropout(rate 0.25)");
  CHECK(to_string(Relu{}) == "relu()");
}

TEST_CASE("A name that no kind has is told as unknown") {
  CHECK_FALSE(layer_kind("conv3d").has_value());
}

struct Other : test::SlopedRelu {
  static constexpr LayerFacts kFacts{.name = "sloped_relu", .stem = "other"};
};

TEST_CASE("A kind of a user's own is read from JSON once it is registered, and refused before") {
  const Model model = ModelBuilder("m", {4})
                          .dense(3)
                          .add(test::SlopedRelu{.first = 0.5F, .strength = 2})
                          .dense(2)
                          .build();
  const std::string text = to_json(model);
  CHECK_THROWS_WITH(model_from_json(text),
                    Contains("layers[1]") && Contains("unknown kind of layer 'sloped_relu'"));
  register_layer_kind<test::SlopedRelu>();
  register_layer_kind<test::SlopedRelu>();
  CHECK(model_from_json(text) == model);

  CHECK_THROWS_WITH(register_layer_kind<Other>(), Contains("'sloped_relu'"));
}

}  // namespace
