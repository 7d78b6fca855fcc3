#pragma once
// What the DATA that a user names is, and the data sets in it.

#include <millrace/io/dataset.h>
#include <millrace/io/watch.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

enum class DataKind : std::uint8_t { class_folders, idx, csv, generated };

/// Where one data set lies.
struct DataPart {
  std::filesystem::path samples;  ///< the folder of classes, the images or the table; or the word
  std::filesystem::path labels;   ///< the label file of IDX; empty otherwise
  /// A folder of classes beside which others may lie: images right beside it are left out.
  bool is_one_of_several = false;
};

struct DataLayout {
  DataKind kind = DataKind::class_folders;
  DataPart train;
  std::optional<DataPart> validation;  ///< if DATA brings one, so that none need be split off
  bool validation_is_test = false;     ///< it is called test, so it is not for choosing models
};

/// Finds out by looking at names, not into files:
///   a folder with train/, and val/, valid/, validation/ or test/ (of folders of classes);
///   a folder with train-images-idx3-ubyte[.gz] and its labels, and t10k-... or test-..., or with
///   one such pair of any name; a folder with train.csv, and val.csv, validation.csv or test.csv;
///   any other folder: a folder of classes;
///   a .csv file; an IDX file of images that lies beside its labels;
///   a word like generated:1000x28x28x1:2, which is no file (generated.h).
/// Throws Error if there is nothing of this name or it is none of these, UsageError for such a word
/// of another form.
[[nodiscard]] DataLayout find_data(const std::filesystem::path& data);

struct Datasets {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> validation;  ///< may be null
};

/// Opens what find_data() found. Throws Error as the data sets do, and if the validation part has
/// a class that the training part has not (it names the first that differs) or samples of another
/// shape. It may lack images of a class, which is noted. `names_left_out`: how many names to keep
/// of files that are left out, for each reason.
[[nodiscard]] Datasets open_datasets(const DataLayout& layout, const Watch& watch = {},
                                     std::size_t names_left_out = LeftOut::kFewNames);

/// Opens one part. `classes`, if given, are those of the data set or model that it goes with: the
/// names for IDX and CSV labels, and what class folders may be called.
[[nodiscard]] std::shared_ptr<const Dataset> open_dataset(
    DataKind kind, const DataPart& part, const Watch& watch = {},
    std::vector<std::string> classes = {}, std::size_t names_left_out = LeftOut::kFewNames);

}  // namespace millrace
