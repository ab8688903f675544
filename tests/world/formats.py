"""Small recordings in the published columns of other programs: the same two vehicles in each format."""

from __future__ import annotations

import math
from pathlib import Path

STEP_S, T0 = 0.04, 1_113_433_135_300
SAMPLES = 151
SPEEDS_MPS = {"1": 10.0, "2": 7.5}
"""Vehicle 1 drives east along y = 20 m, and vehicle 2 north along x = 40 m, both from 0 on."""

FOOT_M = 0.3048
DEGREE_M = 111_320
ORIGIN = (37.98, 23.73)
"""Latitude and longitude of the place x = 0, y = 0, degrees."""


def place(name: str, time: float) -> tuple[float, float]:
    """Where a vehicle is at a time, m."""
    along = SPEEDS_MPS[name] * time
    return (along, 20.0) if name == "1" else (40.0, along)


def write(folder: Path) -> None:
    """Write the two vehicles into a folder, in each format."""
    rows = [
        (name, frame, frame * STEP_S, *place(name, frame * STEP_S), speed)
        for name, speed in SPEEDS_MPS.items()
        for frame in range(SAMPLES)
    ]
    (folder / "00_recordingMeta.csv").write_text("recordingId,locationId,frameRate\n0,4,25.0\n")
    (folder / "00_tracksMeta.csv").write_text(
        "recordingId,trackId,initialFrame,finalFrame,numFrames,width,length,class\n"
        + "".join(f"0,{name},0,{SAMPLES - 1},{SAMPLES},1.8,4.2,car\n" for name in SPEEDS_MPS)
    )
    _csv(
        folder / "00_tracks.csv",
        "recordingId,trackId,frame,trackLifetime,xCenter,yCenter,heading,width,length,xVelocity,yVelocity",
        [
            (0, name, frame, frame, x, y, 0.0, 1.8, 4.2, *((speed, 0.0) if name == "1" else (0.0, speed)))
            for name, frame, _, x, y, speed in rows
        ],
    )
    _csv(
        folder / "ngsim.csv",
        "Vehicle_ID,Frame_ID,Total_Frames,Global_Time,Local_X,Local_Y,Global_X,Global_Y,v_Length,v_Width,v_Class,v_Vel",
        [
            (name, frame, SAMPLES, T0 + 40 * frame, 0, 0, x / FOOT_M, y / FOOT_M, 14, 6, 2, speed / FOOT_M)
            for name, frame, _, x, y, speed in rows
        ],
    )  # fmt: skip
    _csv(
        folder / "vehicle_tracks_000.csv",
        "track_id,frame_id,timestamp_ms,agent_type,x,y,vx,vy,psi_rad,length,width",
        [
            (name, frame, 40 * frame, "car", x, y, *((speed, 0.0) if name == "1" else (0.0, speed)), 0.0, 4.2, 1.8)
            for name, frame, _, x, y, speed in rows
        ],
    )
    lines = ["track_id; type; traveled_d; avg_speed; lat; lon; speed; lon_acc; lat_acc; time"]
    for name in SPEEDS_MPS:
        own = [
            f"{ORIGIN[0] + y / DEGREE_M:.10f}; {ORIGIN[1] + x / DEGREE_M / math.cos(math.radians(ORIGIN[0])):.10f}; "
            f"{3.6 * speed}; 0.0; 0.0; {time:.6f}"
            for other, _, time, x, y, speed in rows
            if other == name
        ]
        lines.append(f"{name}; Car; 60.0; {3.6 * SPEEDS_MPS[name]}; {'; '.join(own)}; ")
    (folder / "pneuma.csv").write_text("\n".join(lines) + "\n")
    (folder / "model.fzp").write_text(
        "$VISION\n* File: model.inpx\n*\n* SIMSEC\n$VEHICLE:SIMSEC;NO;LANE\\LINK\\NO;COORDFRONT;SPEED\n"
        + "".join(
            f"{time:.2f};{name};1;{x:.3f} {y:.3f} 0.000;{3.6 * speed:.3f}\n" for name, _, time, x, y, speed in rows
        )
    )
    # Node 1 is told every second where to go, and stands still before each command for lack of way. Node 2 turns.
    (folder / "mobility.tcl").write_text(
        "$node_(1) set X_ 0.0\n$node_(1) set Y_ 20.0\n$node_(2) set X_ 40.0\n$node_(2) set Y_ 0.0\n"
        + "".join(f'$ns_ at {second}.0 "$node_(1) setdest {10.0 * second + 10.0} 20.0 10.0"\n' for second in range(6))
        + '$ns_ at 0.0 "$node_(2) setdest 40.0 1000.0 7.5"\n$ns_ at 4.0 "$node_(2) setdest 40.0 900.0 7.5"\n'
    )


def _csv(path: Path, header: str, rows: list[tuple[object, ...]]) -> None:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
