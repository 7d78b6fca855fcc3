// Files that look like torch.save's and are not to be trusted: each is an error in one line, and
// nothing of a pickle is run.

#include <millrace/core/random.h>
#include <millrace/io/torch_file.h>

#include "catch.h"
#include "io/torch_files.h"

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

using namespace pickled;

const std::string kFolder = MILLRACE_TEST_DATA "/io/weights/";
constexpr const char* kNotRun =
    ", which weights do not need; it is not run; save its state_dict alone: "
    "torch.save(model.state_dict(), FILE)";

/// What is said of a file; empty if it is read.
std::string error_of_torch(const std::string& bytes) {
  const Scratch scratch;
  const auto path = scratch.write("w.pth", bytes);
  const std::string error = error_of([&] {
    const TorchFile file(path);
    for (std::size_t i = 0; i < file.tensors().size(); ++i) {
      const std::int64_t elements = file.tensors()[i].shape.elements();
      std::vector<float> values(static_cast<std::size_t>(std::min<std::int64_t>(elements, 1000)));
      file.read(i, 0, values);
    }
  });
  CHECK(error.find('\n') == std::string::npos);
  return error.starts_with(path.string()) ? error.substr(path.string().size()) : error;
}

std::string error_of_object(const std::string& object) {
  const std::string error = error_of_torch(legacy_file(whole(object)));
  CHECK(error_of_torch(zip_file(torch_members(whole(object)))) == error);
  return error;
}

std::string error_of_tensor(std::int64_t offset, const std::vector<std::int64_t>& sizes,
                            const std::vector<std::int64_t>& strides) {
  return error_of_object(dict("w", tensor(storage("0", 4), offset, sizes, strides)));
}

std::string whole_file() {
  return legacy_file(whole(dict("w", tensor(storage("0", 4), 0, {2, 2}, {2, 1}))));
}

}  // namespace

TEST_CASE("what a pickle asks for beyond tensors is refused by its name and not run") {
  CHECK(error_of_torch(whole_file()).empty());
  const std::string command = "(" + text("touch /tmp/owned") + "tR";
  for (const char* module : {"os", "posix", "nt"}) {
    CHECK(error_of_object(dict("w", global(module, "system") + command)) ==
          concat(": its pickle asks for ", module, ".system", kNotRun));
  }
  CHECK(error_of_object(text("builtins") + text("eval") + "\x93" + command) ==
        concat(": its pickle asks for builtins.eval", kNotRun));
  CHECK(error_of_object(global("torchvision.models.resnet", "ResNet") + ")\x81") ==
        concat(": its pickle asks for torchvision.models.resnet.ResNet", kNotRun));
  CHECK(error_of_object(global("torch.storage", "_load_from_bytes") + command) ==
        concat(": its pickle asks for torch.storage._load_from_bytes", kNotRun));
  // Names are shown in one line whatever is in them.
  CHECK(error_of_object(global("os\x1b[2J", "system")) ==
        concat(": its pickle asks for os\\e[2J.system", kNotRun));
}

TEST_CASE("opcodes that weights do not need are refused by their names") {
  for (const auto& [bytes, name] :
       {std::pair("(S'touch'\nios\nsystem\n", "STRING"), std::pair("(ios\nsystem\n", "INST"),
        std::pair("(o", "OBJ"), std::pair("\x8f", "EMPTY_SET"), std::pair("\x82\x01", "EXT1"),
        std::pair("I5\n", "INT"), std::pair("Pid\n", "PERSID"), std::pair(")0", "POP"),
        std::pair("C\x01 ", "SHORT_BINBYTES"), std::pair("\x97", "NEXT_BUFFER")}) {
    CHECK(error_of_object(bytes) == concat(": its pickle has the opcode ", name, kNotRun));
  }
  const std::string made = global("collections", "OrderedDict") + ")\x81";
  CHECK(error_of_object(made) == concat(": its pickle has the opcode NEWOBJ", kNotRun));
  CHECK(error_of_object(dict("w", tensor(storage("0", 4), 0, {4}, {1}) + "}b")) ==
        ": its pickle has the opcode BUILD for something that is no dict; it is not run; save its "
        "state_dict alone: torch.save(model.state_dict(), FILE)");
  CHECK_THAT(error_of_object("\xff"), Contains("the byte 0xff, which is no opcode"));
}

TEST_CASE("a tensor that does not lie within its storage is an error") {
  const std::string beyond = "strides and offset reach beyond its storage of 4 elements";
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  CHECK(error_of_tensor(0, {2, 2}, {2, 1}).empty());
  CHECK(error_of_tensor(0, {2, 2}, {1, 2}).empty());
  CHECK(error_of_tensor(3, {1, 1}, {kMost, kMost}).empty());
  CHECK(error_of_tensor(0, {0, 7}, {7, 1}).empty());
  CHECK(error_of_tensor(1, {2, 2}, {2, 1}) == ": tensor 'w': shape 2x2, " + beyond);
  CHECK(error_of_tensor(-1, {2, 2}, {2, 1}) == ": tensor 'w': shape 2x2, " + beyond);
  CHECK(error_of_tensor(0, {2, 2}, {3, 1}) == ": tensor 'w': shape 2x2, " + beyond);
  CHECK(error_of_tensor(0, {5}, {1}) == ": tensor 'w': shape 5, " + beyond);
  CHECK(error_of_tensor(kMost, {2}, {kMost}) == ": tensor 'w': shape 2, " + beyond);
  CHECK(error_of_tensor(0, {3, 3}, {kMost, kMost}) == ": tensor 'w': shape 3x3, " + beyond);
  CHECK(error_of_tensor(0, {2, 2}, {-2, 1}) == ": tensor 'w': a stride is no whole number");
  CHECK(error_of_tensor(0, {-2, 2}, {2, 1}) == ": tensor 'w': a size is no whole number");
  CHECK(error_of_tensor(0, {2, 2}, {1}) == ": tensor 'w': 1 strides for the shape 2x2");
  CHECK(error_of_tensor(0, {kMost, 4, 0}, {0, 0, 0}) == ": tensor 'w': its shape overflows");
  CHECK(error_of_tensor(0, {1, 1, 1, 1, 1, 1, 4}, {1, 1, 1, 1, 1, 1, 1}) ==
        ": tensor 'w': 7 dimensions; at most 6 are read");
}

TEST_CASE("a storage that claims more than the file holds takes no memory and is an error") {
  const auto of_size = [](std::int64_t claimed, std::uint64_t counted) {
    const std::string object = dict("w", tensor(storage("0", claimed), 0, {4}, {1}));
    return error_of_torch(legacy_file(whole(object), counted));
  };
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  CHECK(of_size(4, 4).empty());
  CHECK(of_size(1'000'000'000'000, 1'000'000'000'000) ==
        ": its storage 0 has 16 bytes where 1000000000000 elements of F32 are claimed; get it "
        "again");
  CHECK(of_size(kMost, kMost) == ": it ends early; get it again");
  CHECK_THAT(of_size(4, 5), Contains("its storage 0 has two sizes, 4 and 5"));
  CHECK_THAT(of_size(-1, 4), Contains("describes a storage in no known way"));
  CHECK(of_size(3, 3) ==
        ": tensor 'w': shape 4, strides and offset reach beyond its storage of 3 elements");
  CHECK(error_of_torch(legacy_file(whole(dict("w", tensor(storage("0", 3), 0, {3}, {1}))), 3, 4)) ==
        ": it is damaged (it has 4 bytes after its last storage); get it again");
  const std::string archive =
      zip_file(torch_members(whole(dict("w", tensor(storage("0", 5), 0, {4}, {1})))));
  CHECK(error_of_torch(archive) ==
        ": its storage 0 has 16 bytes where 5 elements of F32 are claimed; get it again");
  CHECK_THAT(error_of_torch(zip_file(
                 torch_members(whole(dict("w", tensor(storage("../0", 4), 0, {4}, {1})))))),
             Contains("it has no storage ../0"));
}

TEST_CASE("pickles that refer to themselves over and over end soon") {
  // A list of ten times the list before, thirty deep; a tensor beside it is found all the same.
  std::string bomb = "]q" + little(0, 1) + "(" + text("lol") + "e";
  for (std::uint64_t level = 1; level < 30; ++level) {
    bomb += "]q" + little(level, 1) + "(";
    for (int i = 0; i < 10; ++i) bomb += "h" + little(level - 1, 1);
    bomb += "e";
  }
  const std::string weight = tensor(storage("0", 4), 0, {4}, {1});
  bomb = "](" + bomb + "e";
  CHECK(error_of_object("}(" + text("bomb") + bomb + text("w") + weight + "u").empty());
  // A dict that holds itself.
  CHECK(error_of_object("}q\x01(" + text("self") + "h\x01" + text("w") + weight + "u").empty());
  // Dicts of the same dict.
  std::string dicts = "}q" + std::string(1, '\0');
  for (std::uint64_t level = 1; level < 100; ++level) {
    dicts += "}q" + little(level, 1) + "(";
    for (int i = 0; i < 10; ++i) dicts += text(concat(i)) + "h" + little(level - 1, 1);
    dicts += "u";
  }
  CHECK_THAT(error_of_object(dicts), Contains("holds no tensors by name"));
  // OrderedDicts of one long list of pairs.
  std::string pairs = "](";
  for (int i = 0; i < 1000; ++i) pairs += "K\x01K\x02\x86";
  pairs += "eq\x01";
  for (int i = 0; i < 3000; ++i) pairs += global("collections", "OrderedDict") + "h\x01\x85R";
  CHECK_THAT(error_of_object(pairs), Contains("its pickle is larger than that of any model"));
  CHECK_THAT(error_of_object(")" + std::string(3'000'000, '\x85')),
             Contains("its pickle is larger than that of any model"));
}

TEST_CASE("pickles that are no programs are errors") {
  for (const char* bytes : {"t", "e", "u", "s", "a", "R", "(R", "h\x05", "q\x01", "K\x01K\x02R",
                            "]K\x01s", "}K\x01\x61", "}(K\x01u", "Q", "\x80\x09", "(.", "X\xff"}) {
    INFO(bytes);
    CHECK(!error_of_object(bytes).empty());
  }
  CHECK_THAT(error_of_object("K\x05"), Contains("holds no tensors by name"));
  CHECK_THAT(error_of_object(tensor(storage("0", 4), 0, {4}, {1})),
             Contains("holds no tensors by name"));
  CHECK(error_of_object("X\xff\xff\xff\xff").find("it ends early") != std::string::npos);
  const std::string twice = text("w") + tensor(storage("0", 4), 0, {4}, {1});
  CHECK(error_of_object("}(" + twice + twice + "u") == ": tensor 'w': appears twice");
}

TEST_CASE("archives that are not as torch.save writes them are told apart") {
  const std::string pickle = whole(dict("w", tensor(storage("0", 4), 0, {4}, {1})));
  std::vector<ZippedFile> members = torch_members(pickle);
  CHECK(error_of_torch(zip_file(members)).empty());
  const auto with = [&](const ZippedFile& member) {
    std::vector<ZippedFile> all = torch_members(pickle);
    all.push_back(member);
    return error_of_torch(zip_file(all));
  };
  CHECK_THAT(with({"archive/constants.pkl", "x"}), Contains("a program of TorchScript"));
  CHECK_THAT(with({"archive/data/0", "x"}), Contains("it holds archive/data/0 twice"));
  CHECK_THAT(with({"other/data.pkl", "x"}), Contains("its archive holds two of data.pkl"));
  members[2].method = 8;
  CHECK_THAT(error_of_torch(zip_file(members)),
             Contains("its member archive/data/0 is compressed"));
  members[2].method = 0;
  members[2].flags = 1;
  CHECK_THAT(error_of_torch(zip_file(members)), Contains("its member archive/data/0 is encrypted"));
  members[1].content = "big";
  CHECK_THAT(error_of_torch(zip_file(members)), Contains("its numbers are big-endian"));
  CHECK_THAT(error_of_torch(zip_file({{"x.npy", "x"}})),
             Contains("a zip archive with neither data.pkl"));
  CHECK_THAT(error_of_torch("PK\x03\x04 a zip"), Contains("it ends early"));
}

TEST_CASE("a file of torch.save that was cut at any byte is refused in one line") {
  const Scratch scratch;
  for (const std::string& bytes :
       {whole_file(),
        zip_file(torch_members(whole(dict("w", tensor(storage("0", 4), 0, {4}, {1}))))),
        text_of(kFolder + "tensors_zip.pth"), text_of(kFolder + "network_legacy.pth")}) {
    std::size_t refused = 0;
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      const auto path = scratch.write("cut.pth", std::string_view(bytes).substr(0, length));
      const std::string error = error_of([&] { TorchFile file(path); });
      const bool is_line = error.starts_with(path.string()) && error.find('\n') == error.npos;
      refused += is_line ? 1 : 0;
    }
    CHECK(refused == bytes.size());
  }
}

TEST_CASE("four thousand damaged files of torch.save are read or refused") {
  constexpr std::uint64_t kSeed = 20261130;
  INFO("seed " << kSeed);
  std::uint32_t pass = 0;
  for (const char* name :
       {"tensors_zip.pth", "tensors_legacy.pth", "network_checkpoint.pth", "tensors_zip64.pth"}) {
    const std::string whole_bytes = text_of(kFolder + name);
    int refused = 0;
    for (std::uint64_t i = 0; i < 1000; ++i) {
      std::string bytes = whole_bytes;
      Random random(kSeed, pass, i, Purpose::user);
      for (std::uint64_t flips = 1 + random.below(4); flips > 0; --flips) {
        char& byte = bytes[random.below(bytes.size())];
        byte = static_cast<char>(byte ^ (1 << random.below(8)));
      }
      refused += error_of_torch(bytes).empty() ? 0 : 1;
    }
    CHECK(refused > 100);
    ++pass;
  }
}
