#include <millrace/io/dataset.h>

#include <millrace/core/shown_text.h>
#include <millrace/io/decode.h>
#include <millrace/io/files.h>

#include <filesystem>
#include <system_error>

namespace millrace {

std::vector<std::string> Dataset::class_notes() const {
  if (classes().empty()) return {};  // samples without labels
  constexpr std::size_t kFew = 3;
  const std::vector<std::uint64_t> counts = count_classes(*this);
  std::vector<std::string> missing;
  for (std::size_t label = 0; label < counts.size(); ++label) {
    if (counts[label] == 0) missing.push_back(concat('\'', shown(classes()[label]), '\''));
  }
  const std::string what = concat(place().empty() ? "" : shown(place()) + ": ", "no ",
                                  dtype() == DType::u8 ? "images" : "rows", " of ");
  std::vector<std::string> notes;
  if (missing.size() <= kFew) {
    for (const std::string& name : missing) notes.push_back(concat(what, "the class ", name));
  } else {
    notes.push_back(concat(what, missing.size(), " of the ", counts.size(), " classes (",
                           missing[0], ", ", missing[1], ", ", missing[2], ", ...)"));
  }
  // Labels that begin with 1 are the commonest reason.
  if (missing.size() == 1 && missing.front() == "'0'") notes.back() += "; labels count from 0";
  return notes;
}

std::vector<std::uint64_t> count_classes(const Dataset& dataset) {
  std::vector<std::uint64_t> counts(dataset.classes().size());
  for (std::uint32_t i = 0; i < dataset.size(); ++i) {
    ++counts[static_cast<std::size_t>(dataset.label(i))];
  }
  return counts;
}

ImageInfo Dataset::info(std::uint32_t index, Decoder& decoder) const {
  return decoder.info(name(index));
}

// Reading a pipe would take away what is in it, so that only files are opened.
std::optional<FileStart> Dataset::read_start(std::uint32_t index, std::span<std::byte> into) const {
  const std::filesystem::path path = name(index);
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return {};
  FileStart start;
  start.read = millrace::read_start(path, into, error);
  start.length = std::filesystem::file_size(path, error);
  return start;
}

const LeftOut& Dataset::left_out() const noexcept {
  static const LeftOut kNothing;
  return kNothing;
}

}  // namespace millrace
