"""A camera of Isaac Sim (5.0 and later) on the suite's topics: paste it into Window > Script Editor and run it.

It makes an OmniGraph that publishes image, camera_info, depth, boxes of what carries a semantic label (`ground_truth`),
the names of the labels, and /clock, while the simulation plays. Run `attach` again for another camera with another
namespace. Nothing of the suite needs to be installed beside Isaac Sim; its extension isaacsim.ros2.bridge does.
"""

#: Where the camera's prim is, and what its images are.
CAMERA = "/World/Camera"
WIDTH, HEIGHT = 640, 480
NAMESPACE = ""
FRAME = "isaac_sim_camera_optical_frame"
GRAPH = "/World/PerceptionCamera"

#: Node of the graph → its type.
NODES = {
    "tick": "omni.graph.action.OnPlaybackTick",
    "time": "isaacsim.core.nodes.IsaacReadSimulationTime",
    "product": "isaacsim.core.nodes.IsaacCreateRenderProduct",
    "clock": "isaacsim.ros2.bridge.ROS2PublishClock",
    "image": "isaacsim.ros2.bridge.ROS2CameraHelper",
    "info": "isaacsim.ros2.bridge.ROS2CameraInfoHelper",
    "depth": "isaacsim.ros2.bridge.ROS2CameraHelper",
    "truth": "isaacsim.ros2.bridge.ROS2CameraHelper",
}
#: What the publishing nodes are told: topic, and of camera helpers the kind of picture.
PUBLISHED = {
    "image": {"topicName": "image", "type": "rgb"},
    "info": {"topicName": "camera_info"},
    "depth": {"topicName": "depth/image", "type": "depth"},
    # class_id is the number of the label; the second topic tells in JSON what each means.
    "truth": {
        "topicName": "ground_truth",
        "type": "bbox_2d_tight",
        "enableSemanticLabels": True,
        "semanticLabelsTopicName": "ground_truth/semantic_labels",
    },
}


def connections() -> list:
    """Pairs of attributes: everything runs with the simulation, and sees through one render product."""
    found = [
        ("tick.outputs:tick", "product.inputs:execIn"),
        ("tick.outputs:tick", "clock.inputs:execIn"),
        ("time.outputs:simulationTime", "clock.inputs:timeStamp"),
    ]
    for node in PUBLISHED:
        found.append(("product.outputs:execOut", f"{node}.inputs:execIn"))
        found.append(("product.outputs:renderProductPath", f"{node}.inputs:renderProductPath"))
    return found


def values(camera, namespace: str) -> list:
    """Attributes and their values; ``camera`` is the path of the camera's prim, as OmniGraph wants it."""
    told = {"width": WIDTH, "height": HEIGHT, "cameraPrim": [camera]}
    found = [(f"product.inputs:{name}", value) for name, value in told.items()]
    for node, settings in PUBLISHED.items():
        whole = {**settings, "frameId": FRAME, "nodeNamespace": namespace}
        found += [(f"{node}.inputs:{name}", value) for name, value in whole.items()]
    return found


def attach(camera: str = CAMERA, namespace: str = NAMESPACE, graph: str = GRAPH) -> None:
    """Make the graph for a camera prim, in the place of one of that name."""
    import omni.graph.core as og
    import omni.kit.app
    import omni.usd
    import usdrt.Sdf

    omni.kit.app.get_app().get_extension_manager().set_extension_enabled_immediate("isaacsim.ros2.bridge", True)
    stage = omni.usd.get_context().get_stage()
    if not stage.GetPrimAtPath(camera).IsValid():
        raise ValueError(f"there is no prim {camera}: create a camera there, or set CAMERA")
    if stage.GetPrimAtPath(graph).IsValid():
        stage.RemovePrim(graph)
    keys = og.Controller.Keys
    og.Controller.edit(
        {"graph_path": graph, "evaluator_name": "execution"},
        {
            keys.CREATE_NODES: list(NODES.items()),
            keys.CONNECT: connections(),
            keys.SET_VALUES: values(usdrt.Sdf.Path(camera), namespace),
        },
    )
    print(f"{graph} publishes {camera}: press play")


if __name__ == "__main__":
    attach()
