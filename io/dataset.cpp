#include <millrace/io/dataset.h>

namespace millrace {

const LeftOut& Dataset::left_out() const noexcept {
  static const LeftOut kNothing;
  return kNothing;
}

}  // namespace millrace
