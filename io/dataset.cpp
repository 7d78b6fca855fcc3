#include <millrace/io/dataset.h>

#include <millrace/core/shown_text.h>
#include <millrace/io/class_names.h>

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
                                  dtype() == DType::u8 ? "pictures" : "rows", " of ");
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

const LeftOut& Dataset::left_out() const noexcept {
  static const LeftOut kNothing;
  return kNothing;
}

}  // namespace millrace
