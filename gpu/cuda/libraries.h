#pragma once
// NVIDIA's libraries are opened when they are needed, never linked: a program that is built with
// CUDA starts on a machine without it, and takes cuDNN and cuBLAS wherever the machine has them,
// also from PyTorch's wheels.

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

namespace millrace::gpu {

/// The value of an environment variable, or null.
using Environment = std::function<const char*(const char* name)>;

/// Folders that exist and may hold NVIDIA's libraries, besides those that the dynamic linker knows:
/// CUDNN_ROOT, CUDA_HOME and CUDA_PATH with lib64 and lib, NVIDIA's own places, and the folders
/// nvidia/*/lib of the Python environments in VIRTUAL_ENV, CONDA_PREFIX and beside the python3 on
/// PATH. Does not run Python.
[[nodiscard]] std::vector<std::filesystem::path> library_folders(const Environment& environment);

/// A library that stays open until the process ends.
struct Library {
  void* handle = nullptr;  ///< of dlopen; null: not found
  std::string path;        ///< where it lies
  std::string why_none;    ///< the dynamic linker's words; empty if it was found

  [[nodiscard]] explicit operator bool() const noexcept { return handle != nullptr; }
  /// The address of a function, or null.
  [[nodiscard]] void* symbol(const char* name) const noexcept;
};

/// The address of a function, as a pointer of whatever type it is put into.
struct Symbol {
  void* address = nullptr;
  template <class Function>
  operator Function*() const noexcept {
    return reinterpret_cast<Function*>(address);
  }
};

/// Opens the first that can be had of `names` ("libcudnn.so.9"): in the folders that
/// MILLRACE_CUDA_LIBRARIES lists (with colons), then by the rules of the dynamic linker, then in
/// library_folders(). Thread-safe.
[[nodiscard]] Library open_library(std::initializer_list<const char*> names);

/// Paths of NVIDIA's libraries that this process has open, sorted: those that were found, and those
/// that they brought along.
[[nodiscard]] std::vector<std::string> open_libraries();

}  // namespace millrace::gpu
