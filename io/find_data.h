#pragma once
// Finds what kind of data the user's DATA is, and the data sets in it.

#include <millrace/io/csv_options.h>
#include <millrace/io/data_layout.h>
#include <millrace/io/dataset.h>
#include <millrace/io/watch.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

namespace millrace {

/// Finds out by looking at names, not into files, what `data` is:
///   a folder with parts (part_named), each a folder of classes, if there are one to train on and
///   another one, or nothing but the one to train on;
///   a folder with train-images-idx3-ubyte[.gz] and its labels, and t10k-... or the like, or with
///   one such pair of any name; a folder with train.csv, and test.csv or the like;
///   a folder with tar shards, of one kind or called train-*.tar, val-*.tar or the like, or with
///   folders train/, val/ or the like of them, and without class folders beside them;
///   any other folder: a folder of classes;
///   a .tar, .tar.gz or .tgz file; a pattern of such: shard-{000..012}.tar, 'shards/*.tar';
///   a .csv file; an IDX file of images that lies beside its labels;
///   a word like generated:1000x28x28x1:2, which is not a file (generated.h).
/// Throws Error if there is nothing of this name or it is none of these, and if there is something
/// beside the parts that would be left out, a part twice or one without class folders; UsageError
/// for such a word of another form.
[[nodiscard]] DataLayout find_data(const std::filesystem::path& data);

/// The part of `data` that a word names: "validation" is what is validated on (val/ or else test/),
/// other words are those of part_named(). Throws Error if there is no such part, UsageError for
/// another word.
[[nodiscard]] const DataPart& part_of(const DataLayout& layout, const std::string& word,
                                      const std::filesystem::path& data);

/// How a part is opened.
struct OpenOptions {
  bool is_companion = false;  ///< its classes will be matched with others (class_names.h)
  std::size_t names_left_out = LeftOut::kFewNames;  ///< names of files to keep, for each reason
  bool skips_damage = false;  ///< of a damaged tar shard only what cannot be read is left out
  CsvOptions table{};         ///< of rows
};

/// Opens one part, with classes as it has them.
[[nodiscard]] std::shared_ptr<const Dataset> open_dataset(DataKind kind, const DataPart& part,
                                                          const Watch& watch = {},
                                                          const OpenOptions& options = {});

/// The same options for a companion of `training`, whose columns a table has.
[[nodiscard]] OpenOptions beside(const Dataset& training, OpenOptions options);

struct Datasets {
  std::shared_ptr<const Dataset> train;
  std::shared_ptr<const Dataset> validation;  ///< may be null
};

/// Opens what find_data() found. Throws Error as the data sets do, and if the validation part has
/// a class that the training part has not or samples of another shape. It may lack images of a
/// class, which is noted.
[[nodiscard]] Datasets open_datasets(const DataLayout& layout, const Watch& watch = {},
                                     const OpenOptions& options = {});

/// Opens a part beside the one to train on, which `train` is. Throws Error as open_datasets().
[[nodiscard]] std::shared_ptr<const Dataset> open_beside(const DataLayout& layout,
                                                         const DataPart& part, const Dataset& train,
                                                         const Watch& watch = {},
                                                         const OpenOptions& options = {});

}  // namespace millrace
