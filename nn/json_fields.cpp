#include <millrace/nn/json_fields.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

namespace millrace::nn::detail {
namespace {

bool holds(const Json& json, const std::string&) {
  return json.is_string();
}
bool holds(const Json& json, float) {
  return json.is_number() && std::isfinite(json.get<float>());
}
bool holds(const Json& json, std::int64_t) {
  // Numbers beyond the largest int64 are kept unsigned and would wrap.
  return json.is_number_integer() &&
         (!json.is_number_unsigned() || json.get<std::uint64_t>() >> 63 == 0);
}

}  // namespace

Fields::Fields(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object.is_object()) {
    throw Error(concat("model: ", where_.empty() ? "" : where_ + ": ", "expected an object"));
  }
}

const Json* Fields::find(const char* key) {
  known_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() ? nullptr : &*found;
}

void Fields::finish() const {
  for (const auto& [key, value] : object_.items()) {
    if (!known_.contains(key)) fail(key, "unknown key");
  }
}

void Fields::fail(const std::string& key, const std::string& problem) const {
  throw Error(concat("model: ", where_, where_.empty() ? "" : ".", key, ": ", problem));
}

void Fields::read(const char* key, bool& value) const {
  if (!object_[key].is_boolean()) fail(key, "expected true or false");
  value = object_[key].get<bool>();
}

void Fields::read(const char* key, std::int64_t& value) const {
  if (!holds(object_[key], value) || object_[key].get<std::int64_t>() <= 0) {
    fail(key, "expected a positive number");
  }
  value = object_[key].get<std::int64_t>();
}

void Fields::read(const char* key, float& value) const {
  if (!holds(object_[key], value)) fail(key, "expected a number");
  value = object_[key].get<float>();
}

void Fields::read(const char* key, std::string& value) const {
  if (!object_[key].is_string()) fail(key, "expected a text");
  value = object_[key].get<std::string>();
}

void Fields::read(const char* key, Padding& value) const {
  const Json& json = object_[key];
  std::vector<std::int64_t> sides;
  if (json.is_array()) read(key, sides);
  const bool are_sides =
      sides.size() == 4 && std::ranges::all_of(sides, [](std::int64_t side) { return side >= 0; });
  if (!are_sides && json != "valid" && json != "same") {
    fail(key, "expected \"valid\", \"same\" or [top, bottom, left, right]");
  }
  if (are_sides) {
    value = Padding::sides(sides[0], sides[1], sides[2], sides[3]);
  } else {
    value = json == "same" ? Padding::same : Padding::valid;
  }
}

void Fields::read(const char* key, Pair& value) const {
  const Json& json = object_[key];
  std::vector<std::int64_t> both;
  if (json.is_array()) {
    read(key, both);
  } else if (holds(json, std::int64_t{})) {
    both.assign(2, json.get<std::int64_t>());
  }
  if (both.size() != 2 || both[0] <= 0 || both[1] <= 0) {
    fail(key, "expected a positive number, or two: [rows, columns]");
  }
  value = {both[0], both[1]};
}

template <class T, class Value>
void Fields::read_word(const char* key, T value_of(std::string_view), Value& value) const {
  std::string word;
  read(key, word);
  try {
    value = value_of(word);
  } catch (const UsageError& error) {
    fail(key, error.what());
  }
}

void Fields::read(const char* key, Initializer& value) const {
  read_word(key, initializer_named, value);
}

void Fields::read(const char* key, ChannelOrder& value) const {
  std::string name;
  read(key, name);
  if (name != "rgb" && name != "bgr") fail(key, "expected \"rgb\" or \"bgr\"");
  value = name == "bgr" ? ChannelOrder::bgr : ChannelOrder::rgb;
}

template <class T>
void Fields::read_list(const char* key, std::vector<T>& values, const char* what) const {
  const Json& list = object_[key];
  if (!list.is_array()) fail(key, concat("expected a list of ", what));
  values.clear();
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!holds(list[i], T{})) fail(concat(key, "[", i, "]"), concat("expected one of ", what));
    values.push_back(list[i].get<T>());
  }
}

void Fields::read(const char* key, std::optional<Colour>& colour) const {
  read_word(key, parse_colour, colour);
}

void Fields::read(const char* key, std::vector<float>& values) const {
  read_list(key, values, "numbers");
}
void Fields::read(const char* key, std::vector<std::string>& values) const {
  read_list(key, values, "texts");
}
void Fields::read(const char* key, std::vector<std::int64_t>& values) const {
  read_list(key, values, "whole numbers");
}

}  // namespace millrace::nn::detail
