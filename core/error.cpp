#include <millrace/core/error.h>

namespace millrace {

void check_failed(const char* condition, const char* file, int line, const std::string& message) {
  throw std::logic_error(concat(message, " (", condition, ", ", file, ":", line, ")"));
}

}  // namespace millrace
