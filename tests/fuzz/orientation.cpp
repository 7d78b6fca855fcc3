#include "fuzz/harnesses.h"

#include <millrace/io/detail/orientation.h>

namespace millrace::test {

// As a file of each kind, whatever it begins with.
void fuzz_orientation(Input input) {
  using detail::Format;
  for (const Format format : {Format::jpeg, Format::png, Format::tiff, Format::webp}) {
    const int orientation = detail::exif_orientation(format, input);
    if (orientation < 1 || orientation > 8) throw std::logic_error("an orientation that is none");
  }
}

}  // namespace millrace::test
