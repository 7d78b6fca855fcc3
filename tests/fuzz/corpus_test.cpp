// The harnesses of the fuzzers on what lies in corpus/NAME, with any compiler: seeds, and what was
// found. Images of the other tests are more seeds.

#include "fuzz/harnesses.h"

#include "catch.h"

#include <millrace/io/files.h>

#include <algorithm>
#include <filesystem>

using namespace millrace;
using namespace millrace::test;

namespace {

namespace fs = std::filesystem;

// Each file, and its two halves, which end early and begin late.
int run_folder(void (*harness)(Input), const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& path : files) {
    INFO(path.string());
    const std::vector<std::byte> bytes = read_file(path);
    const std::span whole(bytes);
    for (const Input part :
         {whole, whole.first(bytes.size() / 2), whole.subspan(bytes.size() / 2)}) {
      CHECK_NOTHROW(harness(part));
    }
  }
  return static_cast<int>(files.size());
}

int run(void (*harness)(Input), const std::string& name) {
  return run_folder(harness, fs::path(MILLRACE_FUZZ_CORPUS) / name);
}

}  // namespace

TEST_CASE("image files of the fuzzer's corpus are decoded or refused") {
  CHECK(run(fuzz_decode, "decode") > 10);
}

TEST_CASE("image files of the other tests are decoded or refused by the fuzzer's harness") {
  int folders = 0;
  for (const auto& entry : fs::directory_iterator(MILLRACE_TEST_DATA "/io")) {
    const fs::path name = entry.path().filename();
    if (!entry.is_directory() || name == "weights" || name == "tar") continue;
    ++folders;
    CHECK(run_folder(fuzz_decode, entry.path()) > 10);
  }
  CHECK(folders > 3);
}

TEST_CASE("safetensors files of the fuzzer's corpus are read or refused") {
  CHECK(run(fuzz_safetensors, "safetensors") > 1);
}

TEST_CASE("checkpoints of the fuzzer's corpus are read or refused") {
  CHECK(run(fuzz_checkpoint, "checkpoint") > 1);
}

TEST_CASE("lists of what is in an HDF5 file of the fuzzer's corpus are taken or refused") {
  CHECK(run(fuzz_hdf5, "hdf5") > 1);
}

TEST_CASE("IDX files of the fuzzer's corpus are read or refused") {
  CHECK(run(fuzz_idx, "idx") > 1);
}

TEST_CASE("archives of Keras of the fuzzer's corpus and of the other tests are read or refused") {
  CHECK(run(fuzz_keras, "keras") > 1);
  CHECK(run_folder(fuzz_keras, fs::path(MILLRACE_TEST_DATA "/io/weights")) > 8);
}

TEST_CASE("CSV tables of the fuzzer's corpus are read or refused") {
  CHECK(run(fuzz_csv, "csv") > 1);
}

TEST_CASE("models as JSON of the fuzzer's corpus are read or refused") {
  CHECK(run(fuzz_model, "model") > 1);
}

TEST_CASE("files of the fuzzer's corpus have an orientation or none") {
  CHECK(run(fuzz_orientation, "orientation") > 3);
  CHECK(run_folder(fuzz_orientation, fs::path(MILLRACE_TEST_DATA "/io/orientation")) > 200);
}

TEST_CASE("tar shards of the fuzzer's corpus and of the other tests are read or refused") {
  CHECK(run(fuzz_tar, "tar") > 1);
  CHECK(run_folder(fuzz_tar, fs::path(MILLRACE_TEST_DATA "/io/tar")) > 8);
}

TEST_CASE("files of torch.save of the fuzzer's corpus and of the other tests are read or refused") {
  CHECK(run(fuzz_torch, "torch") > 1);
  CHECK(run_folder(fuzz_torch, fs::path(MILLRACE_TEST_DATA "/io/weights")) > 8);
}

TEST_CASE("recipes of the fuzzer's corpus are read or refused") {
  CHECK(run(fuzz_recipe, "recipe") > 1);
}
