#pragma once
// HDF5 files of tests, written with the C library, good and bad.

#include <hdf5.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace millrace::test {

/// A file that is closed at the end. Nothing is checked: what is wrong shows when it is read.
class Hdf5Writer {
 public:
  explicit Hdf5Writer(const std::filesystem::path& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~Hdf5Writer() { H5Fclose(file_); }
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  [[nodiscard]] hid_t id() const { return file_; }

  void group(const std::string& path) const {
    H5Gclose(H5Gcreate2(file_, path.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  }

  /// Numbers of a type, or none for a data set whose space is never filled. Groups are made.
  void dataset(const std::string& path, const std::vector<hsize_t>& shape,
               const std::vector<float>& values, hid_t type = H5T_IEEE_F32LE,
               hid_t plan = H5P_DEFAULT) const {
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hid_t space =
        shape.empty() ? H5Screate(H5S_SCALAR)
                      : H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t id = H5Dcreate2(file_, path.c_str(), type, space, links, plan, H5P_DEFAULT);
    if (!values.empty()) {
      H5Dwrite(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    }
    H5Dclose(id);
    H5Sclose(space);
    H5Pclose(links);
  }

  /// A list of texts of one length, as Keras 2 writes them.
  void strings(const std::string& group, const std::string& name,
               const std::vector<std::string>& values) const {
    std::size_t length = 1;
    for (const std::string& value : values) length = std::max(length, value.size());
    const hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, length);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    std::string bytes;
    for (std::string value : values) {
      value.resize(length);
      bytes += value;
    }
    const hsize_t count = values.size();
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t id = H5Acreate_by_name(file_, group.c_str(), name.c_str(), type, space, H5P_DEFAULT,
                                       H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(id, type, bytes.data());
    H5Aclose(id);
    H5Sclose(space);
    H5Tclose(type);
  }

 private:
  hid_t file_;
};

}  // namespace millrace::test
