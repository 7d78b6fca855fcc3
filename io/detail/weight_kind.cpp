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

constexpr std::string_view kZip = "PK\x03\x04"sv, kHdf5 = "\x89HDF\r\n"sv, kPickle = "\x80"sv;

struct Kind {
  std::string_view magic;
  const char* what;
};
constexpr std::array<Kind, 6> kKinds = {{
    {kZip,
     "a zip archive, as PyTorch's .pth and Keras's .keras are, and no safetensors; 'millrace "
     "convert weights' makes a model of it"},
    {kPickle,
     "a Python pickle, as PyTorch's older .pth are, and no safetensors; 'millrace convert weights' "
     "makes a model of it"},
    {"version https://git-lfs"sv,
     "a Git LFS pointer and not the weights; 'git lfs pull' in its repository fetches them"},
    {kHdf5,
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

constexpr std::size_t kLength = 8;  // of what safetensors begin with: the length of the header

/// Such a length may begin like any other kind, as 35615 like gzip; '{' comes after none of them.
bool has_header(std::string_view start) {
  return start.size() > kLength && start[kLength] == '{';
}

std::string kind_of(std::string_view start) {
  for (const Kind& kind : kKinds) {
    if (!has_header(start) && start.starts_with(kind.magic)) return kind.what;
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

std::string start_of(const RandomAccessFile& file) {
  constexpr std::size_t kSeen = 256;
  std::string bytes(std::min<std::uint64_t>(file.size(), kSeen), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

}  // namespace

WeightForm form_of(const RandomAccessFile& file) {
  const std::string start = start_of(file);
  if (has_header(start)) return WeightForm::safetensors;
  if (start.starts_with(kHdf5)) return WeightForm::hdf5;
  if (start.starts_with(kZip)) return WeightForm::zip;
  return start.starts_with(kPickle) ? WeightForm::pickle : WeightForm::safetensors;
}

void check_weight_kind(const RandomAccessFile& file) {
  const std::string what = kind_of(start_of(file));
  if (!what.empty()) throw Error(concat(file.path().string(), ": ", what));
}

}  // namespace millrace::detail
