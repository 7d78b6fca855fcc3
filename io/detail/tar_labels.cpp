#include <millrace/io/detail/tar_labels.h>

#include <millrace/core/shown_text.h>
#include <millrace/io/detail/repeated_key.h>

#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>
#include <set>

namespace millrace::detail {
namespace {

// More classes than this are a mistake, such as a number that says which sample it is.
constexpr std::int32_t kMostClasses = 100'000;

constexpr const char* kNoClassNumber = "not a whole number from 0 on";
constexpr const char* kTooLarge = "a number too large for a class; expected less than 100000";

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

TarLabel bad(std::string problem) {
  TarLabel label;
  label.problem = std::move(problem);
  return label;
}

/// -1, 0.5 and 1e3 are numbers and no classes; nobody means a name. 2020-01-01 is one.
bool is_number(std::string_view text) {
  if (text.size() > 1 && text.front() == '+') text.remove_prefix(1);
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ptr == text.data() + text.size() &&
         text.find_first_of("0123456789") != std::string_view::npos;  // not inf
}

}  // namespace

TarLabel label_in_text(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  text = trimmed(text);
  if (text.empty()) return bad("empty");
  if (text.find_first_of("\n\r") != std::string_view::npos) return bad("of several lines");
  if (text.find('\0') != std::string_view::npos) return bad("with zero bytes");
  TarLabel label;
  if (!is_number(text)) {
    label.name = as_utf8(text);
    return label;
  }
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return bad(kNoClassNumber);
  const auto read = std::from_chars(text.data(), text.data() + text.size(), label.number);
  label.is_number = true;
  if (read.ec != std::errc{} || label.number >= kMostClasses) {
    return bad(kTooLarge);
  }
  return label;
}

namespace {

/// JSON has one type of numbers: some write 1.0 for 1.
TarLabel label_in_number(double number) {
  if (number != std::floor(number) || number < 0) return bad(kNoClassNumber);
  if (number >= kMostClasses) return bad(kTooLarge);
  return label_in_text(std::to_string(static_cast<std::int64_t>(number)));
}

}  // namespace

std::optional<TarLabel> label_in_json(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) return bad("not JSON");
  if (!json.is_object()) return {};
  if (const auto key = repeated_key(text)) return bad("an object with a member twice");
  for (const char* const key : {"cls", "label"}) {
    const auto member = json.find(key);
    if (member == json.end()) continue;
    if (member->is_string()) return label_in_text(member->get_ref<const std::string&>());
    if (member->is_number_integer()) return label_in_text(member->dump());
    if (member->is_number()) return label_in_number(member->get<double>());
    return bad("neither a number nor a name");
  }
  return {};
}

std::vector<std::string> class_names_in(const std::filesystem::path& file) {
  std::vector<std::byte> bytes;
  read_file_into(file, bytes, 16_MiB);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  text = text.substr(0, trimmed(text).empty() ? 0 : text.find_last_not_of(" \t\r\n") + 1);
  std::vector<std::string> names;
  std::set<std::string> taken;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string name(trimmed(text.substr(0, end)));
    const auto fail = [&](const auto&... what) {
      throw Error(concat(file.string(), ":", names.size() + 1, ": ", what...));
    };
    if (name.empty())
      fail("no name; expected that of a class on each line, in the order of their numbers");
    if (as_utf8(name) != name) fail("a name that is not UTF-8");
    if (!taken.insert(name).second) fail("the name '", name, "' is there twice");
    names.push_back(name);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return names;
}

}  // namespace millrace::detail
