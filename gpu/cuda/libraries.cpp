#include <millrace/gpu/cuda/libraries.h>

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace millrace::gpu {
namespace {

namespace fs = std::filesystem;

class Folders {
 public:
  void add(const fs::path& folder) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) return;
    if (std::find(found_.begin(), found_.end(), folder) == found_.end()) found_.push_back(folder);
  }
  /// A CUDA or cuDNN tree.
  void add_root(const fs::path& root) {
    add(root / "lib64");
    add(root / "lib");
  }
  /// <prefix>/lib/python3.x/{site,dist}-packages/nvidia/*/lib, sorted by name.
  void add_python(const fs::path& prefix) {
    for (const fs::path& python : entries(prefix / "lib")) {
      if (!python.filename().string().starts_with("python3")) continue;
      for (const char* packages : {"site-packages", "dist-packages"}) {
        for (const fs::path& package : entries(python / packages / "nvidia")) add(package / "lib");
      }
    }
  }
  [[nodiscard]] std::vector<fs::path> take() { return std::move(found_); }

 private:
  static std::vector<fs::path> entries(const fs::path& folder) {
    std::vector<fs::path> names;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      names.push_back(it->path());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::vector<fs::path> found_;
};

std::vector<fs::path> split(const char* list) {
  std::vector<fs::path> parts;
  if (list == nullptr) return parts;
  std::string_view rest(list);
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    if (colon != 0) parts.emplace_back(rest.substr(0, colon));
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
  }
  return parts;
}

/// The folder of a virtual environment's python3 belongs to it, what the link points to, to the
/// Python that it was made from.
void add_path(Folders& folders, const char* path) {
  for (const fs::path& folder : split(path)) {
    const fs::path python = folder / "python3";
    std::error_code error;
    if (!fs::exists(python, error)) continue;
    folders.add_python(folder.parent_path());
    const fs::path real = fs::canonical(python, error);
    if (!error) folders.add_python(real.parent_path().parent_path());
  }
}

/// Where the dynamic linker found it.
std::string path_of(void* handle) {
  link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr) return {};
  return map->l_name;
}

bool open_at(const std::string& place, Library& library) {
  library.handle = dlopen(place.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library.handle == nullptr) {
    if (library.why_none.empty()) library.why_none = dlerror();
    return false;
  }
  library.path = path_of(library.handle);
  library.why_none.clear();
  return true;
}

bool open_in(const std::vector<fs::path>& folders, std::initializer_list<const char*> names,
             Library& library) {
  for (const char* name : names) {
    for (const fs::path& folder : folders) {
      std::error_code error;
      if (fs::exists(folder / name, error) && open_at(folder / name, library)) return true;
    }
  }
  return false;
}

const char* of_process(const char* name) {
  return std::getenv(name);
}

}  // namespace

std::vector<fs::path> library_folders(const Environment& environment) {
  Folders folders;
  for (const char* root : {"CUDNN_ROOT", "CUDA_HOME", "CUDA_PATH"}) {
    if (const char* value = environment(root); value != nullptr && *value != '\0') {
      folders.add_root(value);
    }
  }
  folders.add_root("/usr/local/cuda");
  folders.add_root("/opt/cuda");
  for (const char* prefix : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const char* value = environment(prefix); value != nullptr && *value != '\0') {
      folders.add_python(value);
    }
  }
  add_path(folders, environment("PATH"));
  folders.add_python("/usr/local");
  return folders.take();
}

Library open_library(std::initializer_list<const char*> names) {
  Library library;
  if (open_in(split(of_process("MILLRACE_CUDA_LIBRARIES")), names, library)) return library;
  for (const char* name : names) {
    if (open_at(name, library)) return library;
  }
  open_in(library_folders(of_process), names, library);
  return library;
}

std::vector<std::string> open_libraries() {
  std::vector<std::string> paths;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* found) {
        const std::string name = fs::path(info->dlpi_name).filename().string();
        for (const char* start : {"libcuda.", "libcudnn", "libcublas", "libcupti", "libnv"}) {
          if (name.starts_with(start)) {
            static_cast<std::vector<std::string>*>(found)->emplace_back(info->dlpi_name);
          }
        }
        return 0;
      },
      &paths);
  std::sort(paths.begin(), paths.end());
  return paths;
}

void* Library::symbol(const char* name) const noexcept {
  return handle == nullptr ? nullptr : dlsym(handle, name);
}

}  // namespace millrace::gpu
