#include <millrace/io/detail/weight_kind.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <span>
#include <string>
#include <string_view>

namespace millrace::detail {
namespace {

using namespace std::string_view_literals;

struct Kind {
  std::string_view magic;
  const char* what;
};
constexpr std::array<Kind, 5> kKinds = {{
    {"PK\x03\x04"sv,
     "a zip archive; of a .keras file unpack model.weights.h5, of a .pth file save the state_dict "
     "as safetensors"},
    {"version https://git-lfs"sv,
     "a Git LFS pointer and not the weights; 'git lfs pull' in its repository fetches them"},
    {"\x89HDF\r\n"sv,
     "an HDF5 file, as Keras writes weights, and no safetensors; 'millrace convert weights' makes "
     "a model of it"},
    {"\x1F\x8B"sv, "packed by gzip; unpack it first"},
    {"\x93NUMPY"sv, "an array of NumPy; save the weights with their names as safetensors"},
}};

/// What a server sends where a file needs a login or is gone; empty for other files.
const char* page(std::string_view start) {
  if (start.starts_with("\xEF\xBB\xBF")) start.remove_prefix(3);
  start.remove_prefix(std::min(start.find_first_not_of(" \t\r\n"), start.size()));
  std::string text(start);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const std::string_view html : {"<!doctype html"sv, "<html"sv, "<head"sv, "<!--"sv}) {
    if (text.starts_with(html)) return "an HTML page";
  }
  if (!text.starts_with("<?xml")) return "";
  return text.find("<html") == std::string::npos ? "an XML page" : "an HTML page";
}

bool is_text(std::string_view start) {
  return std::all_of(start.begin(), start.end(),
                     [](char c) { return (c >= '\t' && c <= '\r') || (c >= ' ' && c <= '~'); });
}

std::string kind_of(std::string_view start) {
  constexpr std::size_t kLength = 8;  // of what safetensors begin with: the length of the header
  // Such a length may begin like any of these, as 35615 like gzip; '{' comes behind none of them.
  const bool is_long = start.size() > kLength;
  const bool has_header = is_long && start[kLength] == '{';
  for (const Kind& kind : kKinds) {
    if (!has_header && start.starts_with(kind.magic)) return kind.what;
  }
  if (is_long && !has_header && start.starts_with('\x80')) {
    return "a Python pickle, which can run code; save its state_dict as safetensors";
  }
  const std::string_view served = page(start);
  if (!served.empty()) {
    return concat(served,
                  " and not weights; servers send one if a file needs a login or does not "
                  "exist; download the file itself");
  }
  if (start.size() >= kLength && is_text(start)) {
    std::string line(start.substr(0, std::min(start.find_first_of("\r\n"), std::size_t{40})));
    return concat("a text and not weights; it begins with '", line, "'");
  }
  return {};
}

}  // namespace

void check_weight_kind(const RandomAccessFile& file) {
  std::array<char, 256> bytes{};
  const std::size_t size = std::min<std::uint64_t>(file.size(), bytes.size());
  file.read_at(0, std::as_writable_bytes(std::span(bytes).first(size)));
  const std::string what = kind_of({bytes.data(), size});
  if (!what.empty()) throw Error(concat(file.path().string(), ": ", what));
}

}  // namespace millrace::detail
