"""Reads a folder of event files with TensorBoard and prints what it found as JSON.

usage: python read_events.py FOLDER    (TensorBoard 2.x)
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
from tensorboard.backend.event_processing import event_accumulator, event_file_loader
from tensorboard.util import tensor_util


def files_of(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if "tfevents" in name)


def loaded(folder):
    """All events, file by file, as the framing and the messages are read."""
    result = []
    for path in files_of(folder):
        for event in event_file_loader.EventFileLoader(path).Load():
            for value in event.summary.value:
                result.append([value.tag, event.step, value.metadata.plugin_data.plugin_name])
    return result


def accumulated(folder):
    """What the dashboards show."""
    accumulator = event_accumulator.EventAccumulator(folder, {event_accumulator.TENSORS: 0})
    accumulator.Reload()
    scalars, images, histograms = {}, {}, {}
    for tag in accumulator.Tags()["tensors"]:
        plugin = accumulator.SummaryMetadata(tag).plugin_data.plugin_name
        for event in accumulator.Tensors(tag):
            array = tensor_util.make_ndarray(event.tensor_proto)
            if plugin == "scalars":
                scalars.setdefault(tag, []).append([event.step, float(array.item())])
            elif plugin == "images":
                width, height, png = array[0], array[1], array[2]
                images.setdefault(tag, []).append([event.step, int(width), int(height), png.hex()])
            elif plugin == "histograms":
                histograms.setdefault(tag, []).append([event.step, array.tolist()])
    return {"scalars": scalars, "images": images, "histograms": histograms}


if __name__ == "__main__":
    folder = sys.argv[1]
    print(json.dumps({"events": loaded(folder), **accumulated(folder)}))
