#include "apps/convert/output_file.h"

#include <millrace/core/error.h>

namespace millrace::apps {

void check_output_file(const std::string& command, const std::filesystem::path& from,
                       const std::string& to, bool overwrite) {
  std::error_code ignored;
  if (!std::filesystem::exists(to, ignored)) return;
  if (std::filesystem::equivalent(from, to, ignored)) {
    throw UsageError(concat(command, ": ", to, " is the model itself; choose another name"));
  }
  if (!overwrite) {
    throw Error(concat(to, ": exists already; choose another name, or --overwrite it"));
  }
}

}  // namespace millrace::apps
