#pragma once
// Reads the fields of an unchecked JSON object: every error names the key by its path,
// and an unknown key is an error. Included by sources only, so that users do not need nlohmann's
// header.

#include <millrace/nn/model.h>

#include <nlohmann/json.hpp>

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::nn::detail {

using Json = nlohmann::ordered_json;

class Fields {
 public:
  /// `where` is the path of the object ("layers[3]"); empty for the whole text. Throws Error unless
  /// it is an object.
  Fields(const Json& object, std::string where);

  /// Both throw Error when the key holds something else; `required` also when it is missing.
  template <class T>
  void required(const char* key, T& value) {
    if (find(key) == nullptr) fail(key, "missing");
    read(key, value);
  }
  template <class T>
  void optional(const char* key, T& value) {
    if (find(key) != nullptr) read(key, value);
  }
  /// The value of a key, which then counts as known; null if it is missing.
  const Json* find(const char* key);

  /// Throws Error if the object has a key that was never looked for.
  void finish() const;
  [[noreturn]] void fail(const std::string& key, const std::string& problem) const;

 private:
  void read(const char* key, bool& value) const;
  void read(const char* key, std::int64_t& value) const;
  void read(const char* key, std::uint32_t& value) const;
  void read(const char* key, float& value) const;
  void read(const char* key, std::string& value) const;
  void read(const char* key, Padding& value) const;
  void read(const char* key, Pair& value) const;
  void read(const char* key, Initializer& value) const;
  void read(const char* key, ChannelOrder& value) const;
  void read(const char* key, std::optional<Colour>& colour) const;
  void read(const char* key, std::vector<float>& values) const;
  void read(const char* key, std::vector<std::string>& values) const;
  void read(const char* key, std::vector<std::int64_t>& values) const;
  template <class T, class Value>
  void read_word(const char* key, T value_of(std::string_view), Value& value) const;
  template <class T>
  void read_list(const char* key, std::vector<T>& values, const char* what) const;

  const Json& object_;
  std::string where_;
  std::set<std::string> known_;
};

}  // namespace millrace::nn::detail
