// Files of weights as other programs write them, and files that are none.

#include <millrace/training/pretrained.h>

#include "catch.h"
#include "io/hdf5_files.h"
#include "training/small_network.h"

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

TEST_CASE("Keras's layout of before it wrote versions is read, and lists cut into pieces") {
  const Scratch scratch;
  const nn::Model model = nn::ModelBuilder("v", {8, 8, 3}).conv(2).conv(3).build();
  {
    const Hdf5Writer file(scratch / "old.h5");
    const std::vector<std::string> layers{"block1_conv1", "block1_conv2", "block1_pool"};
    for (const std::string& layer : layers) file.group(layer);
    // A list that is cut into pieces, as long ones are.
    file.strings(".", "layer_names0", {layers[0]});
    file.strings(".", "layer_names1", {layers[1], layers[2]});
    file.strings("block1_conv1", "weight_names", {"block1_conv1_W_1:0", "block1_conv1_b_1:0"});
    file.strings("block1_conv2", "weight_names", {"block1_conv2_W_1:0", "block1_conv2_b_1:0"});
    file.strings("block1_pool", "weight_names", {});
    file.dataset("block1_conv1/block1_conv1_W_1:0", {3, 3, 3, 2}, std::vector<float>(54, 1));
    file.dataset("block1_conv1/block1_conv1_b_1:0", {2}, {2, 2});
    file.dataset("block1_conv2/block1_conv2_W_1:0", {3, 3, 2, 3}, std::vector<float>(54, 3));
    file.dataset("block1_conv2/block1_conv2_b_1:0", {3}, {4, 4, 4});
  }
  const Pretrained weights(scratch / "old.h5", model);
  CHECK(weights.missing().empty());
  // Names of Keras's VGG16, shapes of another model.
  CHECK(!weights.preprocessing());
  const std::vector<float> arena = loaded(weights, model);
  CHECK(arena[0] == 1.0F);
  CHECK(arena[static_cast<std::size_t>(nn::parameters(model)[3].offset)] == 4.0F);
}

TEST_CASE("weights that torch.save wrote load as those of the same network in safetensors do") {
  const nn::Model model = small_network();
  const std::vector<float> expected =
      loaded(Pretrained(kFolder + "torch.safetensors", model), model);
  for (const char* name :
       {"network_zip.pth", "network_legacy.pth", "network_protocol4.pth", "network_checkpoint.pth",
        "network_strided.pth", "network_strided_legacy.pth"}) {
    INFO(name);
    const Pretrained weights(kFolder + name, model);
    CHECK(loaded(weights, model) == expected);
    CHECK(weights.missing().empty());
    CHECK(weights.left_over().empty());
    const bool is_wrapped = std::string_view(name) == "network_checkpoint.pth";
    CHECK(weights.report() ==
          concat(kFolder, name, " (PyTorch): 12 of 12 tensors of the model",
                 is_wrapped ? "; read without the prefix module." : "",
                 "; inputs of dense1 taken as PyTorch flattens images, channel, row, column (else: "
                 "--flatten-order channels_last)"));
    CHECK_THROWS_WITH(Pretrained(kFolder + name, small_network(3, 12)),
                      Contains("weights of another model or size of input"));
  }
}

TEST_CASE("a safetensors file whose length of the header begins like another kind is read") {
  const Scratch scratch;
  const nn::Model model = small_network();
  const std::string header =
      "{\"conv1.weight\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}";
  for (const std::size_t length :
       {0x80UL /* a pickle */, 0x8B1FUL /* gzip */, 0x18B1FUL, 0x4034B50UL /* zip, 64 MiB */}) {
    std::string file(8 + length, ' ');
    for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>((length >> (8 * i)) & 0xFF);
    file.replace(8, header.size(), header);
    const std::string error = error_of_file(scratch.write("w", file), model);
    INFO(length);
    CHECK_THAT(error, Contains("conv1.weight"));
    for (const char* kind : {"pickle", "gzip", "zip"}) CHECK_THAT(error, !Contains(kind));
  }
}

TEST_CASE("files that are no weights are told in a line each") {
  const Scratch scratch;
  const nn::Model model = small_network();
  const auto error = [&](std::string_view content) {
    return error_of_file(scratch.write("w", content), model);
  };
  CHECK(error("PK\x03\x04 a zip") == ": it ends early; get it again");
  CHECK(error("\x80\x02}.") ==
        ": a Python pickle that torch.save did not write; pickles can run code, so only "
        "torch.save's are read; save the state_dict with it, or as safetensors");
  CHECK(error("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n") ==
        ": a Git LFS pointer and not the weights; 'git lfs pull' in its repository fetches them");
  for (const char* page : {"<!DOCTYPE html><html><title>Sign in</title></html>",
                           "\xEF\xBB\xBF\r\n  <HTML lang=en>", "<!-- moved -->\n<html></html>",
                           "<?xml version='1.0'?><!DOCTYPE html><html xmlns='x'></html>"}) {
    CHECK(error(page) ==
          ": an HTML page and not weights; servers send one if a file needs a login or does not "
          "exist; download the file itself");
  }
  CHECK(error("<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>")
            .starts_with(": an XML page and not weights; "));
  CHECK(error("Entry not found\nmore") ==
        ": a text and not weights; it begins with 'Entry not found'");
  CHECK(error("\x1F\x8B\x08 packed") == ": packed by gzip; unpack it first");
  CHECK(error("\x93NUMPY\x01 array") ==
        ": an array of NumPy; save the weights with their names as safetensors");
  CHECK(error("") == ": too short for a safetensors file");
  CHECK_THROWS_WITH(Pretrained(scratch / "none.h5", model), Contains("none.h5"));
  { const Hdf5Writer empty(scratch / "empty.h5"); }
  CHECK(error_of_file(scratch / "empty.h5", model) ==
        ": no weights of Keras: neither the attribute layer_names nor a group 'layers'");
}

TEST_CASE("groups of a Keras file whose names have slashes are layers of these names") {
  const Scratch scratch;
  const nn::Model model = nn::ModelBuilder("fire", {8, 8, 3})
                              .conv(2, 1)
                              .named("fire2/squeeze1x1")
                              .conv(2, 1)
                              .named("fire2/expand1x1")
                              .build();
  {
    const Hdf5Writer file(scratch / "fire.h5");
    // Not in the model's order, as no branch has to be.
    const std::vector<std::string> layers{"fire2/expand1x1", "fire2/squeeze1x1"};
    file.strings(".", "layer_names", layers);
    file.group("fire2");
    for (const std::string& layer : layers) {
      const hsize_t channels = layer == layers[0] ? 2 : 3;
      file.group(layer);
      file.strings(layer, "weight_names", {layer + "_W:0", layer + "_b:0"});
      file.dataset(layer + "/" + layer + "_W:0", {1, 1, channels, 2},
                   std::vector<float>(2 * channels, static_cast<float>(channels)));
      file.dataset(layer + "/" + layer + "_b:0", {2}, {5, 6});
    }
  }
  const Pretrained weights(scratch / "fire.h5", model);
  CHECK_THAT(weights.report(), Contains("matched by the names of layers"));
  const std::vector<float> arena = loaded(weights, model);
  CHECK(arena[static_cast<std::size_t>(nn::parameters(model)[0].offset)] == 3.0F);
  CHECK(arena[static_cast<std::size_t>(nn::parameters(model)[2].offset)] == 2.0F);
}

TEST_CASE("a .keras file that was cut or changed is refused in one line") {
  const Scratch scratch;
  const std::string whole = text_of(kFolder + "graph.keras");
  const nn::Model model = small_network();
  for (std::size_t length = 0; length < whole.size(); length += 501) {
    const std::string error =
        error_of_file(scratch.write("cut.keras", std::string_view(whole).substr(0, length)), model);
    INFO(length);
    CHECK(error.starts_with(": "));
    CHECK(error.find('\n') == std::string::npos);
  }
  std::string changed = whole;
  const std::size_t weights = whole.find("\x89HDF");
  REQUIRE(weights != std::string::npos);
  changed[weights + 5000] = static_cast<char>(changed[weights + 5000] ^ 1);
  CHECK(error_of_file(scratch.write("changed.keras", changed), model) ==
        ": it is damaged (the checksum of its weights is another); get it again");
  changed = whole;
  changed[whole.find("\"module\"") + 1] = 'M';
  CHECK(error_of_file(scratch.write("changed.keras", changed), model) ==
        ": it is damaged (the checksum of its member config.json is another); get it again");
  // A checksum that was not computed, as in files of torch.save.
  changed = whole;
  const std::size_t entry = whole.rfind("model.weights.h5") - 46;
  REQUIRE(whole.substr(entry, 4) == "PK\x01\x02");
  changed.replace(entry + 16, 4, 4, '\0');
  CHECK(error_of_file(scratch.write("changed.keras", changed), model) ==
        error_of_file(scratch.write("whole.keras", whole), model));
}

TEST_CASE("lists of a Keras file that name what is not there are errors") {
  const Scratch scratch;
  const auto error = [&](auto write) {
    {
      const Hdf5Writer file(scratch / "k.h5");
      write(file);
    }
    return error_of_file(scratch / "k.h5", small_network());
  };
  CHECK(error([](const Hdf5Writer& file) { file.strings(".", "layer_names", {"conv"}); }) ==
        ": the layer 'conv' of its list has no group");
  CHECK(error([](const Hdf5Writer& file) {
          file.strings(".", "layer_names", {"conv"});
          file.group("conv");
        }) == ": the layer 'conv' has no attribute weight_names");
  CHECK(error([](const Hdf5Writer& file) {
          file.strings(".", "layer_names", {"conv"});
          file.group("conv");
          file.strings("conv", "weight_names", {"conv/kernel:0"});
        }) == ": the layer 'conv' has no data set 'conv/kernel:0'");
}
