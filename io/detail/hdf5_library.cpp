#include <millrace/io/detail/hdf5_library.h>

#include <millrace/core/error.h>

#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <set>
#include <utility>

namespace millrace::detail {
namespace {

constexpr std::size_t kMostLinks = 1 << 16;
constexpr int kDeepest = 32;
constexpr std::size_t kMostText = 16 << 20;  // bytes of one attribute
constexpr std::int64_t kMostElements = std::numeric_limits<std::int32_t>::max();

/// The library's reason: the innermost one says what was wrong with the file.
std::string reason() {
  std::string text;
  const auto keep = [](unsigned, const H5E_error2_t* error, void* to) -> herr_t {
    if (error->desc != nullptr) *static_cast<std::string*>(to) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep, &text);
  return text.empty() ? "damaged" : "damaged: " + text;
}

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(concat(parts...));
}

/// Closes an identifier of the library on every way out.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t), const std::string& where) : id_(id), close_(close) {
    if (id < 0) fail(where, where.empty() ? "" : ": ", reason());
  }
  ~Handle() { close_(id_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const noexcept { return id_; }  // NOLINT(google-explicit-constructor)

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

std::string joined(const std::string& group, const std::string& name) {
  return group.empty() ? name : group + '/' + name;
}

template <class Info>
herr_t keep_name(hid_t, const char* name, const Info*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return static_cast<std::vector<std::string>*>(names)->size() > kMostLinks ? -1 : 0;
}

std::string type_name(hid_t type) {
  const std::size_t bits = 8 * H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_FLOAT: return concat('F', bits);
    case H5T_INTEGER: return concat('I', bits);
    case H5T_STRING: return "text";
    default: return "other";
  }
}

/// Walks a file from its root.
class Walk {
 public:
  Walk(hid_t file, std::uint64_t file_size) : file_(file), file_size_(file_size) {}

  Hdf5Contents run() && {
    group("", 0);
    return std::move(contents_);
  }

 private:
  void group(const std::string& path, int depth) {
    if (depth > kDeepest) fail("group '", path, "': more than ", kDeepest, " groups deep");
    const Handle id(H5Gopen2(file_, path.empty() ? "/" : path.c_str(), H5P_DEFAULT), H5Gclose,
                    concat("group '", path, "'"));
    contents_.groups.push_back({path, attributes(id, path)});
    std::vector<std::string> names;
    hsize_t index = 0;
    const herr_t status =
        H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, &index, keep_name<H5L_info_t>, &names);
    links_ += names.size();
    if (links_ > kMostLinks) fail("more than ", kMostLinks, " groups and data sets");
    if (status < 0) fail("group '", path, "': ", reason());
    for (const std::string& name : names) link(id, path, name, depth);
  }

  void link(hid_t parent, const std::string& group_path, const std::string& name, int depth) {
    const std::string path = joined(group_path, name);
    H5L_info_t info{};
    if (H5Lget_info(parent, name.c_str(), &info, H5P_DEFAULT) < 0) fail("'", path, "': ", reason());
    if (info.type != H5L_TYPE_HARD) {
      fail("'", path, "': a link to another place or file; those are not followed");
    }
    H5O_info_t object{};
    if (H5Oget_info_by_name(parent, name.c_str(), &object, H5P_DEFAULT) < 0) {
      fail("'", path, "': ", reason());
    }
    if (object.type == H5O_TYPE_DATASET) return dataset(path);
    if (object.type != H5O_TYPE_GROUP) return;
    // A group that holds one of its ancestors has no end.
    if (!groups_.insert(object.addr).second) fail("group '", path, "': reached by two ways");
    group(path, depth + 1);
  }

  void dataset(const std::string& path) {
    const std::string where = concat("data set '", path, "'");
    const Handle id(H5Dopen2(file_, path.c_str(), H5P_DEFAULT), H5Dclose, where);
    const Handle type(H5Dget_type(id), H5Tclose, where);
    const Handle space(H5Dget_space(id), H5Sclose, where);
    const Handle plan(H5Dget_create_plist(id), H5Pclose, where);
    if (H5Pget_external_count(plan) != 0 || H5Pget_layout(plan) == H5D_VIRTUAL) {
      fail(where, ": its numbers lie in another file; those are not read");
    }
    const Shape shape = shape_of(space, where);
    const std::uint64_t bytes =
        static_cast<std::uint64_t>(shape.elements()) * std::uint64_t{H5Tget_size(type)};
    // Chunks may be compressed or absent; the library checks them one by one.
    if (H5Pget_layout(plan) != H5D_CHUNKED && bytes > file_size_) {
      fail(where, ": claims ", bytes, " bytes; the file has ", file_size_);
    }
    contents_.datasets.push_back({path, type_name(type), shape});
  }

  static Shape shape_of(hid_t space, const std::string& where) {
    const int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || H5Sget_simple_extent_type(space) == H5S_NULL) fail(where, ": has no shape");
    if (rank > Shape::kMaxRank) {
      fail(where, ": ", rank, " dimensions; at most ", Shape::kMaxRank, " are read");
    }
    std::array<hsize_t, H5S_MAX_RANK> extents{};
    if (H5Sget_simple_extent_dims(space, extents.data(), nullptr) < 0) fail(where, ": ", reason());
    Shape shape;
    hsize_t elements = 1;
    for (int i = rank - 1; i >= 0; --i) {
      const hsize_t extent = extents[static_cast<std::size_t>(i)];
      if (extent == 0) fail(where, ": is empty");
      if (extent > kMostElements / elements) fail(where, ": more than 2^31 - 1 elements");
      elements *= extent;
      shape = shape.with_front(static_cast<std::int64_t>(extent));
    }
    return shape;
  }

  static std::map<std::string, Hdf5Strings> attributes(hid_t group, const std::string& path) {
    std::vector<std::string> names;
    hsize_t index = 0;
    if (H5Aiterate2(group, H5_INDEX_NAME, H5_ITER_INC, &index, keep_name<H5A_info_t>, &names) < 0) {
      fail("attributes of group '", path, "': ", reason());
    }
    std::map<std::string, Hdf5Strings> result;
    for (const std::string& name : names) {
      const std::string where = concat("attribute '", name, "' of group '", path, "'");
      const Handle id(H5Aopen(group, name.c_str(), H5P_DEFAULT), H5Aclose, where);
      const Handle type(H5Aget_type(id), H5Tclose, where);
      const Handle space(H5Aget_space(id), H5Sclose, where);
      // Keras writes an empty list of texts as an empty list of numbers.
      const hssize_t count = H5Sget_simple_extent_npoints(space);
      if (count == 0) result[name];
      if (count != 0 && H5Tget_class(type) == H5T_STRING) {
        result.emplace(name, strings(id, type, count, where));
      }
    }
    return result;
  }

  static Hdf5Strings strings(hid_t attribute, hid_t type, hssize_t count,
                             const std::string& where) {
    const bool is_variable = H5Tis_variable_str(type) > 0;
    const std::size_t size = is_variable ? sizeof(char*) : H5Tget_size(type);
    if (count < 0 || size == 0 || static_cast<std::size_t>(count) > kMostText / size) {
      fail(where, ": claims ", count, " texts of ", size, " bytes");
    }
    std::vector<char> bytes(static_cast<std::size_t>(count) * size);
    if (H5Aread(attribute, type, bytes.data()) < 0) fail(where, ": ", reason());
    Hdf5Strings result;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const char* const element = bytes.data() + i * size;
      if (is_variable) {
        const char* text = *reinterpret_cast<char* const*>(element);
        result.emplace_back(text == nullptr ? "" : text);  // the process ends soon: not freed
      } else {
        result.emplace_back(element, std::find(element, element + size, '\0'));
      }
    }
    return result;
  }

  hid_t file_;
  std::uint64_t file_size_;
  Hdf5Contents contents_;
  std::set<haddr_t> groups_;
  std::size_t links_ = 0;
};

/// A file that is packed in a way that is not read is not damaged.
void check_filters(hid_t dataset, const std::string& where) {
  const Handle plan(H5Dget_create_plist(dataset), H5Pclose, where);
  const int count = H5Pget_nfilters(plan);
  for (unsigned i = 0; i < static_cast<unsigned>(std::max(count, 0)); ++i) {
    unsigned flags = 0, how = 0;
    std::size_t values = 0;
    std::array<char, 64> name{};
    const H5Z_filter_t filter =
        H5Pget_filter2(plan, i, &flags, &values, nullptr, name.size() - 1, name.data(), &how);
    if (filter < 0 || H5Zfilter_avail(filter) > 0) continue;
    fail(where, ": packed by filter ", filter, name[0] == '\0' ? "" : " (", name.data(),
         name[0] == '\0' ? "" : ")", ", which is not read; save it again, packed by gzip or not");
  }
}

}  // namespace

Hdf5Library::Hdf5Library(const std::filesystem::path& path)
    : size_(std::filesystem::file_size(path)) {
  ::setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1);  // shared and read-only disks know no locks
  H5open();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // errors are reported by exception
  H5PLset_loading_state(0);                     // no code that a file asks for
  file_ = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file_ < 0) fail("cannot be read as HDF5; ", reason());
}

Hdf5Library::~Hdf5Library() {
  if (file_ >= 0) H5Fclose(file_);
}

Hdf5Contents Hdf5Library::list() const {
  return Walk(file_, size_).run();
}

void Hdf5Library::read_rows(const std::string& dataset, std::int64_t first, std::int64_t count,
                            std::span<float> into) const {
  const std::string where = concat("data set '", dataset, "'");
  const Handle id(H5Dopen2(file_, dataset.c_str(), H5P_DEFAULT), H5Dclose, where);
  check_filters(id, where);
  const Handle space(H5Dget_space(id), H5Sclose, where);
  std::array<hsize_t, H5S_MAX_RANK> start{}, counts{};
  if (H5Sget_simple_extent_dims(space, counts.data(), nullptr) > 0) {
    start[0] = static_cast<hsize_t>(first);
    counts[0] = static_cast<hsize_t>(count);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, counts.data(), nullptr) <
        0) {
      fail(where, ": ", reason());
    }
  }
  const hsize_t elements = into.size();
  if (H5Sget_select_npoints(space) != static_cast<hssize_t>(elements)) {
    fail(where, ": lacks rows that were asked for");
  }
  const Handle memory(H5Screate_simple(1, &elements, nullptr), H5Sclose, where);
  if (H5Dread(id, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, into.data()) < 0) {
    fail(where, ": ", reason());
  }
}

}  // namespace millrace::detail
