#include <millrace/gpu/cuda/cublas_lt_library.h>

#include <millrace/core/error.h>

namespace millrace::gpu::detail {
namespace {

#define MILLRACE_TEXT_OF(number) #number
#define MILLRACE_TEXT(number) MILLRACE_TEXT_OF(number)
// Descriptors are laid out by the header, so only its own major version will do.
constexpr const char* kName = "libcublasLt.so." MILLRACE_TEXT(CUBLAS_VER_MAJOR);

Library opened() {
  Library library = open_library({kName});
  if (library) return library;
  throw Error(concat("cublas: ", library.why_none, ": install CUDA ", CUBLAS_VER_MAJOR,
                     "'s cuBLAS (or the Python package "
                     "nvidia-cublas), or name its folder in MILLRACE_CUDA_LIBRARIES"));
}

}  // namespace

Symbol CublasLtLibrary::find(const char* name) {
  static const Library library = opened();
  const Symbol symbol{library.symbol(name)};
  if (symbol.address == nullptr) {
    throw Error(
        concat("cublas: ", library.path, " has no ", name, ": install cuBLAS ", CUBLAS_VER_MAJOR));
  }
  return symbol;
}

std::string CublasLtLibrary::version() const {
  int parts[3] = {};
  check(get_property(MAJOR_VERSION, &parts[0]), "version");
  check(get_property(MINOR_VERSION, &parts[1]), "version");
  check(get_property(PATCH_LEVEL, &parts[2]), "version");
  return concat(parts[0], ".", parts[1], ".", parts[2]);
}

void CublasLtLibrary::check(cublasStatus_t status, const std::string& what) const {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(concat("cublas: ", what, ": ", status_name(status)));
}

const CublasLtLibrary& cublas_lt() {
  static const CublasLtLibrary library;
  return library;
}

}  // namespace millrace::gpu::detail
