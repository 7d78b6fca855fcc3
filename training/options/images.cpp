#include <millrace/training/options/options.h>

namespace millrace {

void list_images(OptionList& options, ImageSpec& o) {
  options.topic("preprocessing", "Preprocessing");
  options("exif-orientation", o.exif_orientation, "",
          "take images as they are stored; otherwise they are turned upright, as their EXIF data "
          "say (TIFF files always are)")
      .of_model();
  options("background", o.background, "COLOUR",
          "put images with transparency on it: white, #rrggbb or R,G,B")
      .by_default("transparency is dropped")
      .of_model();
  options("preprocessing", o.preprocessing, "NAME",
          "that of a family of pretrained weights: caffe (Keras's VGG16), tf, torch, rescale")
      .by_default("rescale")
      .of_model();
  options("featurewise-center", o.featurewise_center, "",
          "subtract the mean of the training samples, by channel (tables: by column)")
      .of_model();
  options("featurewise-std", o.featurewise_std, "", "and divide by their deviation").of_model();
  options("samplewise-center", o.samplewise_center, "", "subtract the mean of each image")
      .of_model();
  options("samplewise-std", o.samplewise_std, "", "and divide by the deviation of each image")
      .of_model();
  options("zca", o.zca, "", "ZCA whitening of images, after --featurewise-center").of_model();
  options("zca-epsilon", o.zca_epsilon, "X", "added to singular values", at_least(0))
      .needs("--zca", [&o] { return o.zca; })
      .of_model();
  options("fit-samples", o.fit_samples, "N", "fit to N training samples, spread evenly; 0: all")
      .needs("something to fit: --featurewise-center, --featurewise-std or --zca",
             [&o] { return o.featurewise_center || o.featurewise_std || o.zca; })
      .of_model();
  options("show-augmented", o.show_augmented, "N",
          "write RUN/augmented.png: N training samples as the model will see them; 0: none",
          within(0, 1024));
}

void list_augmentation(OptionList& options, AugmentOptions& o) {
  options.topic("augmentation", "Augmentation of training images");
  options("rotation-range", o.rotation_range, "DEGREES", "rotate by up to this many degrees",
          within(0, 360, "degrees"));
  options("width-shift-range", o.width_shift_range, "X|N|N,N,...",
          "shift to the left or right: 0.2 by up to a fifth of the width, 5 by up to 5 pixels, "
          "0,4,8 by one of these, either way");
  options("height-shift-range", o.height_shift_range, "X|N|N,N,...", "the same up or down");
  options("shear-range", o.shear_range, "DEGREES", "lean columns by up to this many degrees",
          within(0, 360, "degrees"));
  options("zoom-range", o.zoom_range, "X|LOW,HIGH",
          "scale rows and columns by separate factors: 0.2 for 0.8 to 1.2; below 1 enlarges",
          {&read_zoom});
  options("channel-shift-range", o.channel_shift_range, "X",
          "add a number of up to X, of 255, to all channels", within(0, 255));
  options("brightness-range", o.brightness_range, "LOW,HIGH",
          "multiply pixels by a factor in this range");
  options("flip", o.horizontal_flip, "", "mirror left and right, with probability 0.5")
      .also_called("horizontal-flip");
  options("vertical-flip", o.vertical_flip, "", "mirror top and bottom, with probability 0.5");
  options("fill-mode", o.fill_mode, "NAME",
          "how to fill what lies outside of the image: nearest, constant, reflect, wrap");
  options("cval", o.cval, "X", "value of --fill-mode constant", within(0, 255))
      .needs("--fill-mode constant", [&o] { return o.fill_mode == Fill::constant; });
  options("interpolation-order", o.interpolation_order, "0|1", "0: the nearest pixel, 1: bilinear",
          within(0, 1));
  options("keras-compat", o.keras_compat, "",
          "shifts, centre, wrap and whole-number shifts exactly as Keras has them, and the steps "
          "of pruning as tfmot counts them")
      .of_model();
  options("crop-padding", o.crop_padding, "N",
          "pad by N pixels on each side and crop back at a random place", at_least(0));
  options("views", o.views, "N",
          "draw N changes of each image, by the seed, and use them in turn, one an epoch; 0: new "
          "ones in each epoch")
      .needs("augmentation", [&o] { return !o.is_identity(); });
  RandomErasing& erasing = o.erasing;
  const auto needs = [&erasing](Option& option) {
    option.needs("--erase-probability above 0", [&erasing] { return !erasing.is_identity(); });
  };
  options("erase-probability", erasing.probability, "P",
          "fill a random rectangle in this share of the images, after all other changes",
          within(0, 1));
  needs(options("erase-area", erasing.area, "LOW,HIGH",
                "share of the image that the rectangle covers"));
  needs(options("erase-aspect", erasing.aspect, "LOW,HIGH",
                "height of the rectangle over its width"));
  needs(options("erase-value", erasing.value, "X", "value of the rectangle", within(0, 255)));
}

}  // namespace millrace
