#include "catch.h"

#include <millrace/gpu/cuda/libraries.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace millrace;

fs::path new_folder(const std::string& name) {
  // In a package the scratch folder is a relative one, and a link to there would lead elsewhere.
  const fs::path folder = fs::absolute(MILLRACE_SCRATCH) / "gpu_libraries" / name;
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

/// A Python with two of NVIDIA's wheels.
fs::path new_python(const fs::path& prefix) {
  const fs::path packages = prefix / "lib/python3.11/site-packages";
  fs::create_directories(packages / "nvidia/cudnn/lib");
  fs::create_directories(packages / "nvidia/cu13/lib");
  fs::create_directories(packages / "nvidia/nvtx/include");
  fs::create_directories(packages / "torch/lib");
  fs::create_directories(prefix / "bin");
  std::ofstream(prefix / "bin/python3") << "#!/bin/sh\n";
  return packages / "nvidia";
}

std::vector<fs::path> folders_with(const std::map<std::string, std::string>& variables) {
  return gpu::library_folders([&](const char* name) -> const char* {
    const auto it = variables.find(name);
    return it == variables.end() ? nullptr : it->second.c_str();
  });
}

bool holds(const std::vector<fs::path>& folders, const fs::path& folder) {
  return std::find(folders.begin(), folders.end(), folder) != folders.end();
}

bool holds(const std::vector<std::string>& paths, const fs::path& path) {
  return std::find(paths.begin(), paths.end(), path.string()) != paths.end();
}

}  // namespace

TEST_CASE("libraries are looked for in the trees that variables name, in their order") {
  const fs::path root = new_folder("roots");
  fs::create_directories(root / "cudnn/lib");
  fs::create_directories(root / "cuda/lib64");
  const auto folders = folders_with({{"CUDNN_ROOT", root / "cudnn"}, {"CUDA_HOME", root / "cuda"}});
  REQUIRE(folders.size() >= 2);
  CHECK(folders[0] == root / "cudnn/lib");
  CHECK(folders[1] == root / "cuda/lib64");
}

TEST_CASE("libraries are looked for in the wheels of the environment that is active") {
  const fs::path prefix = new_folder("active");
  const fs::path nvidia = new_python(prefix);
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    const auto folders = folders_with({{name, prefix}});
    CHECK(holds(folders, nvidia / "cudnn/lib"));
    CHECK(holds(folders, nvidia / "cu13/lib"));
    CHECK_FALSE(holds(folders, nvidia / "nvtx/lib"));
  }
}

TEST_CASE(
    "libraries are looked for in the wheels of the python3 on PATH, and of what it links to") {
  const fs::path scratch = new_folder("path");
  const fs::path of_system = new_python(scratch / "system");
  const fs::path of_link = new_python(scratch / "environment");
  fs::remove(scratch / "environment/bin/python3");
  fs::create_symlink(scratch / "system/bin/python3", scratch / "environment/bin/python3");
  const std::string path =
      (scratch / "nowhere").string() + "::" + (scratch / "environment/bin").string();
  const auto folders = folders_with({{"PATH", path}});
  CHECK(holds(folders, of_link / "cudnn/lib"));
  CHECK(holds(folders, of_system / "cudnn/lib"));
}

TEST_CASE("a library that the dynamic linker knows is opened by its name") {
  const gpu::Library library = gpu::open_library({"libmillrace-is-not-there.so.1", "libm.so.6"});
  REQUIRE(library);
  CHECK(fs::path(library.path).filename() == "libm.so.6");
  CHECK(library.why_none.empty());
  CHECK(library.symbol("cos") != nullptr);
  CHECK(library.symbol("millrace_is_not_there") == nullptr);
}

TEST_CASE("a library in a folder of MILLRACE_CUDA_LIBRARIES comes first") {
  const fs::path folder = new_folder("listed");
  const gpu::Library system = gpu::open_library({"libz.so.1"});
  REQUIRE(system);
  fs::copy_file(fs::canonical(system.path), folder / "libz.so.1");
  setenv("MILLRACE_CUDA_LIBRARIES", ("/nowhere:" + folder.string()).c_str(), 1);
  const gpu::Library listed = gpu::open_library({"libz.so.1"});
  unsetenv("MILLRACE_CUDA_LIBRARIES");
  REQUIRE(listed);
  CHECK(fs::path(listed.path) == folder / "libz.so.1");
}

TEST_CASE("libraries of NVIDIA's that are open are told with their paths, and no others") {
  const fs::path folder = new_folder("open");
  const gpu::Library system = gpu::open_library({"libz.so.1"});
  REQUIRE(system);
  const fs::path stand_in = folder / "libnvjpeg.so.13";
  fs::copy_file(fs::canonical(system.path), stand_in);
  CHECK_FALSE(holds(gpu::open_libraries(), stand_in));
  setenv("MILLRACE_CUDA_LIBRARIES", folder.c_str(), 1);
  REQUIRE(gpu::open_library({"libnvjpeg.so.13"}));
  unsetenv("MILLRACE_CUDA_LIBRARIES");
  CHECK(holds(gpu::open_libraries(), stand_in));
  CHECK_FALSE(holds(gpu::open_libraries(), system.path));
}

TEST_CASE("a library that is nowhere is no error, and the linker's words say what was missed") {
  const gpu::Library library = gpu::open_library({"libmillrace-is-not-there.so.1"});
  CHECK_FALSE(library);
  CHECK(library.why_none.find("libmillrace-is-not-there.so.1") != std::string::npos);
  CHECK(library.symbol("cos") == nullptr);
}
