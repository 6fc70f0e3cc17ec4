"""The table: one row a backbone. Adding one is adding a row; every test then covers it.

Addresses and hashes of the weights are those in keras.applications (Keras states none for
MobileNetV2). Published accuracies are of the competition's hidden test.
"""

from zoo.backbone import Backbone, Published, WeightFile
from zoo.errors import UserError, did_you_mean

KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"
EFFICIENT = "https://storage.googleapis.com/keras-applications/"
REPORT = "First Homework Report of DL Bois, 24 Nov 2024"


def convnext(size: str) -> dict[str, str]:
    return {"last block": f"convnext_{size}_downsampling_layernorm_2",
            "half": f"convnext_{size}_downsampling_layernorm_1"}


ROWS = (
    Backbone("vgg16", "VGG16", "VGG16", "caffe", 14_714_688,
             {"last block": "block5_conv1", "half": "block4_conv1"}, 32,
             WeightFile("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", KERAS + "vgg16/",
                        "6d6bbae143d832006294945121d1f1fc"), Published(0.62, REPORT),
             batch_norms=False),
    Backbone("vgg19", "VGG19", "VGG19", "caffe", 20_024_384,
             {"last block": "block5_conv1", "half": "block4_conv1"}, 32,
             WeightFile("vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5", KERAS + "vgg19/",
                        "253f8cb515780f3b799900260a226db6"), Published(0.62, REPORT),
             batch_norms=False),
    Backbone("efficientnetb2", "EfficientNetB2", "EfficientNetB2", "efficientnet", 7_768_569,
             {"last block": "block7a_expand_conv", "half": "block5a_expand_conv"}, 32,
             WeightFile("efficientnetb2_notop.h5", EFFICIENT,
                        "111f8e2ac8aa800a7a99e3239f7bfb39"), Published(0.74, REPORT)),
    Backbone("efficientnetb3", "EfficientNetB3", "EfficientNetB3", "efficientnet", 10_783_535,
             {"last block": "block7a_expand_conv", "half": "block5a_expand_conv"}, 32,
             WeightFile("efficientnetb3_notop.h5", EFFICIENT,
                        "af6d107764bb5b1abb91932881670226"), Published(0.67, REPORT)),
    Backbone("resnet50", "ResNet50", "ResNet50", "caffe", 23_587_712,
             {"last block": "conv5_block1_1_conv", "half": "conv4_block1_1_conv"}, 32,
             WeightFile("resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", KERAS + "resnet/",
                        "4d473c1dd8becc155b73f8504c6f6626"), Published(0.58, REPORT)),
    Backbone("xception", "Xception", "Xception", "tf", 20_861_480,
             {"last block": "block13_sepconv1_act", "half": "block9_sepconv1_act"}, 71,
             WeightFile("xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
                        KERAS + "xception/", "b0042744bf5b25fce3cb969f33bebb97"),
             Published(0.65, REPORT)),
    Backbone("convnextbase", "ConvNeXtBase", "ConvNeXtBase", "inside", 87_566_464,
             convnext("base"), 32,
             WeightFile("convnext_base_notop.h5", KERAS + "convnext/",
                        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45"),
             Published(0.80, "alessandrom10/HemoClassifier, report (mixing, fine-tuned)"),
             batch_norms=False),
    Backbone("smallcnn2", "small CNN, 2 convolutions", "zoo.smallcnn:small_cnn", "inside", 19_392,
             {"last block": "conv2", "half": "conv2"}, 8, published=Published(0.25, REPORT),
             batch_norms=False),
    Backbone("smallcnn3", "small CNN, 3 convolutions", "zoo.smallcnn:small_cnn", "inside", 93_248,
             {"last block": "conv3", "half": "conv2"}, 8, arguments={"convolutions": 3},
             batch_norms=False),
    Backbone("mobilenetv2", "MobileNetV2", "MobileNetV2", "tf", 2_257_984,
             {"last block": "block_16_expand", "half": "block_11_expand"}, 32,
             WeightFile("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
                        KERAS + "mobilenet_v2/", "")),
    Backbone("efficientnetv2s", "EfficientNetV2S", "EfficientNetV2S", "inside", 20_331_360,
             {"last block": "block6a_expand_conv", "half": "block4a_expand_conv"}, 32,
             WeightFile("efficientnetv2-s_notop.h5", KERAS + "efficientnet_v2/",
                        "af0682fb74e8c54910f2d4393339c070"),
             Published(0.94, "pontig/AN2DL_challenges, report (stronger transformations)")),
    Backbone("efficientnetv2m", "EfficientNetV2M", "EfficientNetV2M", "inside", 53_150_388,
             {"last block": "block7a_expand_conv", "half": "block5a_expand_conv"}, 32,
             WeightFile("efficientnetv2-m_notop.h5", KERAS + "efficientnet_v2/",
                        "1b8dc055df72dde80d614482840fe342"),
             Published(0.95, "pontig/AN2DL_challenges, report (stronger transformations)")),
    Backbone("convnexttiny", "ConvNeXtTiny", "ConvNeXtTiny", "inside", 27_820_128,
             convnext("tiny"), 32,
             WeightFile("convnext_tiny_notop.h5", KERAS + "convnext/",
                        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"),
             Published(0.92, "Lolleeee/Neural-Network-November, report, section 5.1"),
             batch_norms=False),
    Backbone("convnextlarge", "ConvNeXtLarge", "ConvNeXtLarge", "inside", 196_230_336,
             convnext("large"), 32,
             WeightFile("convnext_large_notop.h5", KERAS + "convnext/",
                        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd"),
             Published(0.87, "alessandrom10/HemoClassifier, report (progressive unfreezing)"),
             batch_norms=False),
)

BACKBONES: dict[str, Backbone] = {row.name: row for row in ROWS}

# What `make zoo` trains where nothing is said: the seven of the report's table, and the floor.
DEFAULT = ("smallcnn2", "vgg16", "vgg19", "efficientnetb2", "efficientnetb3", "resnet50",
           "xception", "convnextbase")


def backbone(name: str) -> Backbone:
    """The row called ``name``. Raises UserError, with the nearest name, where there is none."""
    key = name.strip().lower().replace("_", "").replace("-", "").replace(" ", "")
    if key in BACKBONES:
        return BACKBONES[key]
    raise UserError(f"There is no backbone {name!r}.{did_you_mean(key, BACKBONES)} "
                    "`harness models` lists them.")
