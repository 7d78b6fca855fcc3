#include <millrace/io/detail/repeated_key.h>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <set>
#include <vector>

namespace millrace::detail {
namespace {

using nlohmann::json;

/// Keeps the keys of the objects that are open.
class Keys final : public nlohmann::json_sax<json> {
 public:
  [[nodiscard]] const std::optional<std::string>& repeated() const noexcept { return repeated_; }

  bool start_object(std::size_t) override {
    open_.emplace_back();
    return true;
  }
  bool key(string_t& name) override {
    if (open_.back().insert(name).second) return true;
    repeated_ = name;
    return false;
  }
  bool end_object() override {
    open_.pop_back();
    return true;
  }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t, const std::string&, const json::exception&) override {
    return false;
  }

 private:
  std::vector<std::set<std::string>> open_;
  std::optional<std::string> repeated_;
};

}  // namespace

std::optional<std::string> repeated_key(std::string_view text) {
  Keys keys;
  (void)json::sax_parse(text, &keys);
  return keys.repeated();
}

}  // namespace millrace::detail
